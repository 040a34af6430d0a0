"""How far two annotators of one labelled set agree."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cir.errors import UsageError
from eval.sets.labelled import LabelledQuery, LabelledSet


@dataclass(frozen=True)
class Agreement:
    """Judgements that two annotators made of the same images for the same queries.

    Attributes:
        queries: number of queries that both judged.
        both: images that both call a target.
        neither: images that both call none.
        first_only, second_only: images that only the first, or only the second calls a target.
        disputed: query id of the first -> images that they judge differently.
        unshared: images that only one of them judged; they do not count.
    """

    queries: int
    both: int
    neither: int
    first_only: int
    second_only: int
    disputed: Mapping[str, tuple[str, ...]]
    unshared: int

    @property
    def judgements(self) -> int:
        """Number of images that both judged, over all queries."""
        return self.both + self.neither + self.first_only + self.second_only

    @property
    def observed(self) -> float:
        """Share of the shared judgements that are the same, 0 to 1."""
        return (self.both + self.neither) / self.judgements

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa: (observed - expected) / (1 - expected), -1 to 1.

        `expected` is the agreement by chance of two annotators who call as many images targets as
        these do (Cohen, Educational and Psychological Measurement 20(1), 1960). None where both
        judge everything the same one way, so that it is 0 / 0.
        """
        n = self.judgements
        first, second = self.both + self.first_only, self.both + self.second_only
        expected = (first * second + (n - first) * (n - second)) / n**2
        return None if expected == 1 else (self.observed - expected) / (1 - expected)

    def words(self) -> str:
        """What it shows, in words."""
        kappa = "cannot be told: all was judged the same one way"
        if self.kappa is not None:
            kappa = f"is {self.kappa:.3f}"
        return (
            f"{self.judgements} images of {self.queries} queries were judged by both, "
            f"{self.observed:.1%} of them the same. Cohen's kappa {kappa}. "
            f"{self.first_only + self.second_only} are disputed; {self.unshared} were judged by "
            "one alone and do not count."
        )

    def document(self) -> dict[str, Any]:
        """All of it for JSON."""
        shares = {"judgements": self.judgements, "observed": self.observed, "kappa": self.kappa}
        return shares | asdict(self) | {"disputed": {k: list(v) for k, v in self.disputed.items()}}


def agreement(first: LabelledSet, second: LabelledSet) -> Agreement:
    """Compare the judgements of two sets, or of two splits of one.

    Queries are the same when reference image and instruction are. An image counts where both have
    judged it, as a target or (score 0) as none: so both need images that they judged to be none.

    Raises:
        UsageError: they share no query, or no image that both judged.
    """
    theirs = {_asked(query): query for query in second.queries}
    pairs = [(query, theirs[_asked(query)]) for query in first.queries if _asked(query) in theirs]
    if not pairs:
        raise UsageError(
            f"{first.name} ({first.split}) and {second.name} ({second.split}) have no query in "
            "common: the same reference image with the same instruction."
        )
    counts = {(a, b): 0 for a in (True, False) for b in (True, False)}
    disputed: dict[str, tuple[str, ...]] = {}
    unshared = 0
    for one, other in pairs:
        mine, others = _judged(one), _judged(other)
        shared = [image for image in mine if image in others]
        unshared += len(mine) + len(others) - 2 * len(shared)
        for image in shared:
            counts[mine[image], others[image]] += 1
        if differing := tuple(image for image in shared if mine[image] != others[image]):
            disputed[one.id] = differing
    if not any(counts.values()):
        raise UsageError(
            f"{first.name} ({first.split}) and {second.name} ({second.split}) judge no image of a "
            "query both."
        )
    return Agreement(
        queries=len(pairs),
        both=counts[True, True],
        neither=counts[False, False],
        first_only=counts[True, False],
        second_only=counts[False, True],
        disputed=disputed,
        unshared=unshared,
    )


def _asked(query: LabelledQuery) -> tuple[str, str]:
    return query.reference, query.instruction.strip()


def _judged(query: LabelledQuery) -> dict[str, bool]:
    return {**dict.fromkeys(query.negatives, False), **dict.fromkeys(query.targets, True)}
