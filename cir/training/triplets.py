"""Composed triplets: reference photo, instruction, and what a target must be."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cir.training.phrases import instruction
from cir.training.products import ATTRIBUTES, FEATURES, Products

COMPOSED_KINDS = {
    "baseColour": 0.36,
    "articleType": 0.14,
    "gender": 0.10,
    "feature": 0.18,
    "usage": 0.03,
    "season": 0.01,
    "colour and type": 0.09,
    "colour and feature": 0.09,
}
KEPT = {  # what a target shares with the reference, for each kind of change
    "baseColour": ("articleType", "gender"),
    "articleType": ("gender", "baseColour"),
    "gender": ("articleType", "baseColour"),
    "feature": ("articleType", "gender"),
    "usage": ("articleType", "gender"),
    "season": ("articleType", "gender"),
    "colour and type": ("gender",),
    "colour and feature": ("articleType", "gender"),
    "similar": ("articleType", "gender", "baseColour"),
}
CHANGED = {
    "baseColour": ("baseColour",),
    "articleType": ("articleType",),
    "gender": ("gender",),
    "usage": ("usage",),
    "season": ("season",),
    "colour and type": ("baseColour", "articleType"),
    "colour and feature": ("baseColour",),
}
LETTERS = {"articleType": "t", "gender": "g", "baseColour": "c", "season": "s", "usage": "u"}
FEATURE_NAMES = tuple(FEATURES)
TEXT_ONLY_SHARE, IMAGE_ONLY_SHARE = 0.12, 0.06
REFERENCES_PER_GROUP = 16  # products of one type and gender beside each other: hard negatives


@dataclass(frozen=True)
class Batch:
    """`n` queries with their targets, and which targets of the batch satisfy which query.

    Attributes:
        references, targets: `(n,)` rows of the products.
        texts: `n` instructions, "" for an image-only query.
        has_image: `(n,)` False for a text-only query.
        positive: `(n, n)` whether target j is a right answer to query i.
        kinds: `n` names of the kinds of change.
    """

    references: NDArray[np.int64]
    targets: NDArray[np.int64]
    texts: list[str]
    has_image: NDArray[np.bool_]
    positive: NDArray[np.bool_]
    kinds: list[str]


@dataclass(frozen=True)
class Wanted:
    """What a target must be: attribute codes (absent: anything) and feature columns."""

    codes: Mapping[str, int]
    features: tuple[int, ...] = ()


class TripletMaker:
    """Draws batches of triplets from some of the products."""

    def __init__(self, products: Products, rows: NDArray[np.int64]) -> None:
        self.products = products
        self.rows = rows
        codes = np.stack([products.codes[name] for name in ATTRIBUTES], axis=1)
        self._codes = codes
        groups: dict[tuple[int, int], list[int]] = defaultdict(list)
        for row in rows:
            if (codes[row, :3] >= 0).all():
                groups[int(codes[row, 0]), int(codes[row, 1])].append(int(row))
        self._groups = [np.array(members) for members in groups.values() if len(members) > 1]
        weights = np.array([len(members) for members in self._groups]) ** 0.75
        self._weights = weights / weights.sum()

    def batch(self, size: int, random: Generator) -> Batch:
        """A batch of `size` queries, `size` a multiple of `REFERENCES_PER_GROUP`."""
        drawn: list[tuple[int, int, str, bool, Wanted, str]] = []
        while len(drawn) < size:
            group = self._groups[int(random.choice(len(self._groups), p=self._weights))]
            for reference in random.choice(group, REFERENCES_PER_GROUP):
                triplet = self._triplet(int(reference), random)
                if triplet is not None and len(drawn) < size:
                    drawn.append(triplet)
        references, targets, texts, has_image, wanted, kinds = zip(*drawn, strict=True)
        columns = np.array(targets)
        return Batch(
            references=np.array(references),
            targets=columns,
            texts=list(texts),
            has_image=np.array(has_image),
            positive=np.stack([self.satisfies(each, columns) for each in wanted]),
            kinds=list(kinds),
        )

    def satisfies(self, wanted: Wanted, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """`(len(rows),)`: which products are what is wanted."""
        right = np.ones(len(rows), dtype=np.bool_)
        for name, code in wanted.codes.items():
            right &= self.products.codes[name][rows] == code
        for column in wanted.features:
            right &= self.products.features[rows, column]
        return right

    def _triplet(
        self, reference: int, random: Generator
    ) -> tuple[int, int, str, bool, Wanted, str] | None:
        dice = random.random()
        if dice < TEXT_ONLY_SHARE:
            return self._text_only(reference, random)
        if dice < TEXT_ONLY_SHARE + IMAGE_ONLY_SHARE:
            wanted = Wanted(self._kept("similar", reference))
            target = self._pick(wanted, reference, random)
            return None if target is None else (reference, target, "", True, wanted, "similar")
        return self.composed(reference, random)

    def composed(
        self, reference: int, random: Generator
    ) -> tuple[int, int, str, bool, Wanted, str] | None:
        """A composed triplet from this reference, or None where the products allow none."""
        kind = str(random.choice(list(COMPOSED_KINDS), p=list(COMPOSED_KINDS.values())))
        kept = self._kept(kind, reference)
        example = self._changed_example(kind, kept, reference, random)
        if example is None:
            return None
        codes = dict(kept)
        codes |= {name: self._code(name, example) for name in CHANGED.get(kind, ())}
        features = self._new_features(kind, example, reference, random)
        if features is None or any(code < 0 for code in codes.values()):
            return None
        wanted = Wanted(codes, features)
        target = self._pick(wanted, reference, random)
        if target is None:
            return None
        letters = self._letters(kind, codes, features)
        return reference, target, instruction(kind, letters, random), True, wanted, kind

    def _kept(self, kind: str, reference: int) -> dict[str, int]:
        return {name: self._code(name, reference) for name in KEPT[kind]}

    def _changed_example(
        self, kind: str, kept: Mapping[str, int], reference: int, random: Generator
    ) -> int | None:
        """A product that keeps what the kind keeps and differs in all that it changes."""
        allowed = self.satisfies(Wanted(kept), self.rows)
        for name in CHANGED.get(kind, ()):
            codes = self.products.codes[name][self.rows]
            allowed &= (codes >= 0) & (codes != self._code(name, reference))
        if "feature" in kind:
            new = self.products.features[self.rows] & ~self.products.features[reference]
            allowed &= new.any(axis=1)
        candidates = self.rows[allowed]
        if not len(candidates):
            return None
        first = CHANGED.get(kind, ("baseColour",))[0]
        return int(self._spread(candidates, self.products.codes[first][candidates], random))

    def _new_features(
        self, kind: str, example: int, reference: int, random: Generator
    ) -> tuple[int, ...] | None:
        if "feature" not in kind:
            return ()
        new = np.flatnonzero(self.products.features[example] & ~self.products.features[reference])
        return (int(random.choice(new)),) if len(new) else None

    def _text_only(
        self, row: int, random: Generator
    ) -> tuple[int, int, str, bool, Wanted, str] | None:
        if random.random() < 0.3:
            wanted = Wanted(self._kept("similar", row))
            return row, row, self.products.names[row], False, wanted, "caption"
        features = tuple(int(i) for i in np.flatnonzero(self.products.features[row]))[:1]
        codes = {name: self._code(name, row) for name in ("articleType", "gender", "baseColour")}
        letters = self._letters("caption", codes, features)
        text = instruction("caption", letters, random)
        return row, row, text, False, Wanted(codes, ()), "caption"

    def _letters(
        self, kind: str, codes: Mapping[str, int], features: tuple[int, ...]
    ) -> dict[str, str]:
        letters = {LETTERS[name]: self.products.values[name][code] for name, code in codes.items()}
        if features:
            letters["f"] = FEATURE_NAMES[features[0]]
        return letters

    def _pick(self, wanted: Wanted, reference: int, random: Generator) -> int | None:
        candidates = self.rows[self.satisfies(wanted, self.rows)]
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
