"""What a comparison of runs found, in figures and in words."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from eval.runs.ranks import COMPOSED
from eval.runs.reading import Run

LEVEL = 0.05
"""A p below it is called unlikely by chance; the intervals are those of 1 - `LEVEL`."""

_FEW = 50
_CONDITIONS = {
    "keep_reference": "whether the reference stays in the ranking",
    "allow_missing": "whether images may be absent",
}


@dataclass(frozen=True)
class Contender:
    """What is compared: a run, and which of its ways to ask."""

    run: Run
    mode: str = COMPOSED

    @property
    def label(self) -> str:
        """Name of the run, with the mode where it is not the composed query."""
        return self.run.name if self.mode == COMPOSED else f"{self.run.name}:{self.mode}"


@dataclass(frozen=True)
class Difference:
    """One contender minus the first, in one measure.

    Attributes:
        delta: difference of the means over queries, -1 to 1.
        low, high: ends of its 95 % interval.
        p: of the sign-flip test, two-sided.
        p_holm: p, raised for the number of contenders that are compared with the first.
        better, worse, same: numbers of queries with a higher, a lower and the same value.
    """

    delta: float
    low: float
    high: float
    p: float
    p_holm: float
    better: int
    worse: int
    same: int


@dataclass(frozen=True)
class Comparison:
    """What two or more contenders show beside each other.

    Attributes:
        contenders: at least two, the first being the one that the others are compared with.
        queries: number of queries.
        figures: for each contender its mean of each measure that all have.
        differences: for each further contender and measure.
        notes: what the figures do not say, a sentence each.
        seed: of resamples and signs.
    """

    contenders: tuple[Contender, ...]
    queries: int
    figures: tuple[Mapping[str, float], ...]
    differences: tuple[Mapping[str, Difference], ...]
    notes: tuple[str, ...]
    seed: int

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of the measures that were compared."""
        return tuple(self.figures[0])

    def words(self, measure: str) -> list[str]:
        """What may be concluded in this measure, a text for each further contender."""
        first, *others = self.contenders
        return [
            _verdict(first.label, other.label, measure, each[measure])
            for other, each in zip(others, self.differences, strict=True)
        ]

    def document(self, measure: str) -> dict[str, Any]:
        """All of it for JSON; `measure` is the one that the words are about."""
        first, *others = self.contenders
        return {
            "set": first.run.set,
            "queries": self.queries,
            "measure": measure,
            "seed": self.seed,
            "runs": [
                {
                    "run": each.run.name,
                    "mode": each.mode,
                    "encoder": each.run.encoder,
                    "metrics": dict(figures),
                }
                for each, figures in zip(self.contenders, self.figures, strict=True)
            ],
            "comparisons": [
                {
                    "run": other.label,
                    "against": first.label,
                    "metrics": {name: asdict(each) for name, each in differences.items()},
                    "words": words,
                }
                for other, differences, words in zip(
                    others, self.differences, self.words(measure), strict=True
                )
            ],
            "notes": list(self.notes),
        }


def caveats(contenders: Sequence[Contender], queries: int) -> list[str]:
    """What the figures of a comparison do not say, a sentence each."""
    notes = [
        "This speaks of queries like those of this set, and of these encoders as they are: not of "
        "other images, nor of what another training would give."
    ]
    differing = [
        words
        for key, words in _CONDITIONS.items()
        if len({str(each.run.part("settings").get(key)) for each in contenders}) > 1
    ]
    if differing:
        notes.insert(0, f"The runs differ also in: {', '.join(differing)}.")
    if len(contenders) > 2:
        notes.append(
            f"p is raised by Holm's method for {len(contenders) - 1} comparisons with the first "
            "run; each interval stands for itself."
        )
    notes.append(
        "Each measure is tested by itself: choose the one that counts before you look, or one in "
        "twenty will stand out by chance."
    )
    if queries < _FEW:
        notes.append(f"With {count_of(queries)} only large differences can show.")
    return notes


def points(value: float) -> str:
    """A difference in percentage points, with its sign; never a negative zero."""
    return f"{round(100 * value, 1) + 0.0:+.1f}"


def count_of(queries: int) -> str:
    """A number of queries in words."""
    return "1 query" if queries == 1 else f"{queries} queries"


def _verdict(first: str, other: str, measure: str, it: Difference) -> str:
    if not it.better and not it.worse:
        return (
            f"{other} and {first} have the same {measure} on every query: this set shows no "
            "difference between them."
        )
    ahead = "ahead of" if it.delta > 0 else "behind" if it.delta < 0 else "level with"
    facts = (
        f"{other} is {ahead} {first} in {measure} by {100 * abs(it.delta):.1f} points (95 % "
        f"interval of the difference {points(it.low)} to {points(it.high)}; {count_of(it.better)} "
        f"got better, {it.worse} worse, {it.same} stayed; p = {it.p_holm:.2g})."
    )
    if it.p_holm < LEVEL:
        return f"{facts} A difference like this is unlikely by chance."
    return (
        f"{facts} This may be chance: the set does not show which of the two is better, nor that "
        "they are equally good."
    )
