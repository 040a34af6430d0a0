"""Composed triplets: reference photo, instruction, and what a target must be."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cir.training.batch import Batch, Triplet, Wanted
from cir.training.kinds import CHANGED, DRAWN_KINDS, IMAGINED, KEPT, LETTERS, PHOTO_KINDS
from cir.training.language.grammar import caption, instruction
from cir.training.language.lexicon import WITHOUT
from cir.training.letters import FEATURE_NAMES, letters_of, old_and_new
from cir.training.products import ATTRIBUTES, SLOTS, Products

TEXT_ONLY_SHARE, IMAGE_ONLY_SHARE = 0.12, 0.05
REFERENCES_PER_GROUP = 16  # products of one type and gender beside each other: hard negatives
ONE_KIND_SHARE = 0.7  # of the groups: all wish the same kind of change


class TripletMaker:
    """Draws batches of triplets from some of the products: photos, or drawn designs."""

    def __init__(self, products: Products, rows: NDArray[np.int64], *, drawn: bool = False) -> None:
        self.products = products
        self.rows = rows[products.drawn[rows] == drawn]
        self.drawn = drawn
        self.kinds = DRAWN_KINDS if drawn else PHOTO_KINDS
        self._masks: dict[tuple[str, int], NDArray[np.bool_]] = {}
        codes = np.stack([products.codes[name] for name in ATTRIBUTES], axis=1)
        groups: dict[tuple[int, int], list[int]] = defaultdict(list)
        for row in self.rows:
            if codes[row, 0] >= 0 and codes[row, 2] >= 0 and (drawn or codes[row, 1] >= 0):
                groups[int(codes[row, 0]), int(codes[row, 1])].append(int(row))
        self._groups = [np.array(members) for members in groups.values() if len(members) > 1]
        weights = np.array([len(members) for members in self._groups]) ** 0.7
        self._weights = weights / weights.sum()
        self._values = {
            name: np.setdiff1d(products.codes[name][self.rows], [-1]) for name in ATTRIBUTES
        }

    def batch(self, size: int, random: Generator) -> Batch:
        """A batch of `size` queries, `size` a multiple of `REFERENCES_PER_GROUP`."""
        drawn: list[Triplet] = []
        while len(drawn) < size:
            group = self._groups[int(random.choice(len(self._groups), p=self._weights))]
            kind = self._kind(random) if random.random() < ONE_KIND_SHARE else None
            example: int | None = None
            for reference in random.choice(group, REFERENCES_PER_GROUP):
                triplet = self._triplet(int(reference), random, kind, example)
                if triplet is not None and len(drawn) < size:
                    drawn.append(triplet)
                    example = triplet.target if triplet.kind == kind else example
        columns = np.array([each.target for each in drawn])
        return Batch(
            references=np.array([each.reference for each in drawn]),
            targets=columns,
            texts=[each.text for each in drawn],
            has_image=np.array([each.has_image for each in drawn]),
            positive=np.stack([self.satisfies(each.wanted)[columns] for each in drawn]),
            wanted=[each.wanted for each in drawn],
            kinds=[each.kind for each in drawn],
        )

    def satisfies(self, wanted: Wanted) -> NDArray[np.bool_]:
        """`(len(products),)`: which products are what is wanted."""
        right = np.ones(len(self.products), dtype=np.bool_)
        for name, code in wanted.codes.items():
            right &= self._mask(name, code)
        for column in wanted.features:
            right &= self.products.features[:, column]
        for name, code in wanted.without_codes.items():
            right &= self.products.codes[name] != code
        for column in wanted.without_features:
            right &= ~self.products.features[:, column]
        return right

    def composed(
        self,
        reference: int,
        random: Generator,
        kind: str | None = None,
        example: int | None = None,
    ) -> Triplet | None:
        """A composed triplet from this reference, or None where the products allow none.

        Args:
            kind: of change; drawn where None.
            example: a product whose new value is taken where that is possible.
        """
        kind = kind or self._kind(random)
        if kind == "no feature":
            return self._no_feature(reference, random)
        kept = self._kept(kind, reference)
        chosen = self._changed_example(kind, kept, reference, random, example)
        if chosen is None:
            return None
        changed = {name: self._code(name, chosen) for name in CHANGED.get(kind, ())}
        features = self._new_features(kind, chosen, reference, random)
        if features is None:
            return None
        letters = old_and_new(self.products, reference, changed, features)
        if kind == "not colour":
            wanted = Wanted(kept, without_codes={"baseColour": self._code("baseColour", reference)})
        else:
            slots = self._freed_slots(kept, chosen, features)
            wanted = Wanted(slots | changed, features)
        target = self._pick(wanted, reference, random)
        if target is None:
            return None
        text = instruction(kind, letters, random)
        return Triplet(reference, target, text, True, wanted, kind)

    def imagined(self, random: Generator) -> Triplet:
        """A photo's triplet that perhaps no product satisfies: rare values come as often as others.

        Its target is the reference, for want of one.
        """
        group = self._groups[int(random.choice(len(self._groups), p=self._weights))]
        reference = int(random.choice(group))
        kinds = [kind for kind in IMAGINED if self._can_imagine(kind)]
        kind = str(random.choice(kinds))
        changed = {
            name: int(random.choice(self._other_values(name, reference)))
            for name in CHANGED.get(kind, ())
        }
        unstated = np.flatnonzero(~self.products.features[reference])
        features = (int(random.choice(unstated)),) if "feature" in kind else ()
        letters = old_and_new(self.products, reference, changed, features)
        wanted = Wanted(self._kept(kind, reference) | changed, features)
        text = instruction(kind, letters, random)
        return Triplet(reference, reference, text, True, wanted, kind)

    def _can_imagine(self, kind: str) -> bool:
        return all(len(self._values[name]) > 1 for name in CHANGED.get(kind, ()))

    def _other_values(self, name: str, reference: int) -> NDArray[np.int64]:
        return np.setdiff1d(self._values[name], [self._code(name, reference)])

    def _triplet(
        self, reference: int, random: Generator, kind: str | None, example: int | None
    ) -> Triplet | None:
        dice = random.random()
        if dice < TEXT_ONLY_SHARE:
            return self._text_only(reference, random)
        if dice < TEXT_ONLY_SHARE + IMAGE_ONLY_SHARE:
            wanted = Wanted(self._kept("similar", reference))
            target = self._pick(wanted, reference, random)
            if target is None:
                return None
            return Triplet(reference, target, "", True, wanted, "image")
        return self.composed(reference, random, kind, example)

    def _kind(self, random: Generator) -> str:
        return str(random.choice(list(self.kinds), p=list(self.kinds.values())))

    def _mask(self, name: str, code: int) -> NDArray[np.bool_]:
        if (name, code) not in self._masks:
            codes = self.products.codes[name]
            right = codes == code
            self._masks[name, code] = right | (codes < 0) if name in SLOTS else right
        return self._masks[name, code]

    def _kept(self, kind: str, reference: int) -> dict[str, int]:
        """What stays; of a drawn design, all that its picture shows."""
        if not self.drawn:
            return {name: self._code(name, reference) for name in KEPT[kind]}
        # No two designs have the same attributes: those of one cloth are similar.
        slots = SLOTS[:1] if kind == "similar" else SLOTS
        names = ("articleType", "baseColour", *slots)
        free = CHANGED.get(kind, ())
        codes = {name: self._code(name, reference) for name in names if name not in free}
        return {name: code for name, code in codes.items() if code >= 0}

    def _changed_example(
        self,
        kind: str,
        kept: Mapping[str, int],
        reference: int,
        random: Generator,
        example: int | None,
    ) -> int | None:
        """A product that keeps what the kind keeps and differs in all that it changes."""
        by_feature = "feature" in kind
        fixed = (
            {name: code for name, code in kept.items() if name not in SLOTS} if by_feature else kept
        )
        allowed = self.satisfies(Wanted(fixed))[self.rows]
        for name in CHANGED.get(kind, ()):
            codes = self.products.codes[name][self.rows]
            allowed &= (codes >= 0) & (codes != self._code(name, reference))
        if by_feature:
            own = self.products.features[reference]
            left = np.flatnonzero(allowed)
            new = self.products.features[self.rows[left]] & ~own
            allowed[left] = new.any(axis=1)
            if self.drawn:
                slots = np.stack([self.products.codes[name] for name in SLOTS], axis=1)
                allowed &= (slots[self.rows] != slots[reference]).sum(axis=1) == 1
        candidates = self.rows[allowed]
        if not len(candidates):
            return None
        first = CHANGED.get(kind, ("baseColour",))[0]
        if example is not None and first == "articleType":
            alike = candidates[self.products.codes[first][candidates] == self._code(first, example)]
            candidates = alike if len(alike) else candidates
        return int(self._spread(candidates, self.products.codes[first][candidates], random))

    def _freed_slots(
        self, kept: Mapping[str, int], chosen: int, features: tuple[int, ...]
    ) -> dict[str, int]:
        """What is kept, without the slot that a wished feature fills otherwise."""
        if not (self.drawn and features):
            return dict(kept)
        return {
            name: code
            for name, code in kept.items()
            if name not in SLOTS or self._code(name, chosen) == code
        }

    def _new_features(
        self, kind: str, example: int, reference: int, random: Generator
    ) -> tuple[int, ...] | None:
        if "feature" not in kind:
            return ()
        new = np.flatnonzero(self.products.features[example] & ~self.products.features[reference])
        return (int(random.choice(new)),) if len(new) else None

    def _no_feature(self, reference: int, random: Generator) -> Triplet | None:
        """Without what the reference has: other patterns than solid, a collar, a hood."""
        own = np.flatnonzero(self.products.features[reference])
        own = own[[FEATURE_NAMES[column] in WITHOUT for column in own]]
        if not len(own):
            return None
        column = int(random.choice(own))
        name = FEATURE_NAMES[column]
        kept = self._kept("no feature", reference)
        if self.drawn:
            slot = next(
                slot
                for slot in SLOTS
                if self._code(slot, reference) >= 0
                and self.products.values[slot][self._code(slot, reference)] == name
            )
            kept.pop(slot)
            if slot == "pattern":
                kept["pattern"] = self.products.values["pattern"].index("solid")
        wanted = Wanted(kept, without_features=(column,))
        target = self._pick(wanted, reference, random)
        if target is None:
            return None
        letters = {"F": name, "T": self._value("articleType", reference)}
        text = instruction("no feature", letters, random)
        return Triplet(reference, target, text, True, wanted, "no feature")

    def _text_only(self, row: int, random: Generator) -> Triplet:
        """A caption of the product, or its name; right is all that the text speaks of."""
        stated = np.flatnonzero(self.products.features[row])
        if not self.drawn and random.random() < 0.25:
            wanted = Wanted(self._kept("similar", row), tuple(stated.tolist()))
            return Triplet(row, row, self.products.names[row], False, wanted, "caption")
        codes = {name: self._code(name, row) for name in LETTERS}
        codes = {name: code for name, code in codes.items() if code >= 0}
        features = (int(random.choice(stated)),) if len(stated) else ()
        text, spoken = caption(letters_of(self.products, codes, features), random)
        said = {name: code for name, code in codes.items() if LETTERS[name] in spoken}
        wanted = Wanted(said, features if "f" in spoken else ())
        return Triplet(row, row, text, False, wanted, "caption")

    def _pick(self, wanted: Wanted, reference: int, random: Generator) -> int | None:
        candidates = self.rows[self.satisfies(wanted)[self.rows]]
        candidates = candidates[candidates != reference]
        return int(random.choice(candidates)) if len(candidates) else None

    def _spread(
        self, candidates: NDArray[np.int64], codes: NDArray[np.int64], random: Generator
    ) -> int:
        """A candidate, rare values drawn more often than their share."""
        _, inverse, counts = np.unique(codes, return_inverse=True, return_counts=True)
        weights = counts[inverse] ** -0.5
        return int(random.choice(candidates, p=weights / weights.sum()))

    def _code(self, name: str, row: int) -> int:
        return int(self.products.codes[name][row])

    def _value(self, name: str, row: int) -> str:
        return self.products.values[name][self._code(name, row)]
