"""What a run must not fall short of, for checks that no person looks at: sentences about what does.

A run is worse than another where it is behind by more than chance explains: over all queries by the
paired test of `eval.comparison.paired`, p below `LEVEL`, and over a group likewise, with p raised
for the number of groups. So of runs that differ by chance alone one in twenty is called worse over
all queries, and one in twenty in any group; a loss too small for the set to show passes.
"""

from collections.abc import Mapping, Sequence

from cir.errors import UsageError
from eval.comparison.comparing import Comparison, advantage, interval
from eval.comparison.paired import LEVEL, Contender, Difference, table_of
from eval.measures import Measure
from eval.sets.labelled import LabelledSet


def shortfalls(figures: Mapping[str, float], minimums: Sequence[tuple[str, float]]) -> list[str]:
    """A text for each measure that is below its minimum, or was not measured."""
    return [
        f"{name} is {figures[name]:.4f}, below {value:g}"
        if name in figures
        else f"{name} was not measured"
        for name, value in minimums
        if figures.get(name, -1.0) < value
    ]


def figures_of(one: Contender, measures: Sequence[Measure]) -> dict[str, float]:
    """Means of measures that the run tells of.

    Raises:
        UsageError: it does not tell of one of them.
    """
    table = table_of(one)
    return {str(each): float(table.values_of(each, one.mode).mean()) for each in measures}


def check_same_set(before: Contender, labelled: LabelledSet) -> None:
    """Refuse a run of another labelled set, before this one is asked.

    Raises:
        UsageError: it is of another set.
    """
    if before.run.document.get("set_fingerprint") not in {None, labelled.fingerprint}:
        raise UsageError(
            f"{before.label} asked the labelled set {before.run.set}, not {labelled.name} as it is "
            "now: runs of different sets do not compare. Name a run of this set."
        )


def falls(compared: Comparison) -> list[str]:
    """A text for each loss against the first contender that is more than chance explains.

    In the measure of the comparison: overall, and over each group.
    """
    first, *others = compared.contenders
    name = compared.measure
    found = []
    for place, other in enumerate(others):
        start = f"{other.label} is worse than {first.label}"
        it = compared.differences[place][name]
        before, after = (compared.figures[at][name] for at in (0, place + 1))
        if _is_worse(name, it):
            found.append(f"{start} in {name}: {_by(it, before, after, compared.over)}")
        found += [
            f"{start} in {name} of the group {group}: "
            f"{_by(of_group, of_group.first, of_group.this, compared.over_group(of_group))}"
            for group, of_group in compared.groups[place].items()
            if _is_worse(name, of_group)
        ]
    return found


def _is_worse(measure: str, it: Difference) -> bool:
    return advantage(measure, it) < 0 and it.p_holm < LEVEL


def _by(it: Difference, before: float, after: float, over: str) -> str:
    way = "more" if it.delta > 0 else "less"
    return (
        f"{after:.4f} after {before:.4f}, {100 * abs(it.delta):.1f} points {way} (95 % interval "
        f"{interval(it)}{over and ', '}{over}; p = {it.p_holm:.2g})"
    )
