"""Figures of rankings that any system wrote, against a labelled set: no image, no encoder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cir.errors import UsageError
from eval.measures import Ids, Measure, RecallSubset, Relevance, Values, judge, mean, score
from eval.runs.rankings import Rankings, read_rankings
from eval.sets.labelled import LabelledSet


@dataclass(frozen=True)
class Scored:
    """Figures of rankings.

    Attributes:
        document: `set`, `queries`, `metrics` and `groups`.
        notes: what a person should know beside the figures, a sentence each.
    """

    document: dict[str, Any]
    notes: tuple[str, ...]

    @property
    def metrics(self) -> Mapping[str, float]:
        """Measure -> value from 0 to 1, the mean over all queries of the set."""
        figures: Mapping[str, float] = self.document["metrics"]
        return figures

    @property
    def groups(self) -> Mapping[str, Mapping[str, float]]:
        """Group -> measure -> value, and `queries`, the number of queries."""
        groups: Mapping[str, Mapping[str, float]] = self.document["groups"]
        return groups


def score_file(
    labelled: LabelledSet,
    run: Path,
    *,
    subset_run: Path | None = None,
    keep_reference: bool | None = None,
) -> Scored:
    """Score a TREC run or a submission file, and perhaps a second one for `subset`.

    Arguments and errors are those of `score_rankings`.
    """
    rankings = read_rankings(run, labelled)
    subset = None if subset_run is None else read_rankings(subset_run, labelled)
    return score_rankings(labelled, rankings, subset=subset, keep_reference=keep_reference)


def score_rankings(
    labelled: LabelledSet,
    rankings: Rankings,
    *,
    subset: Rankings | None = None,
    keep_reference: bool | None = None,
    measures: Sequence[Measure] | None = None,
) -> Scored:
    """Score rankings of a set's queries.

    Queries that are not ranked count 0.

    Args:
        labelled: the set that was asked.
        rankings: what was found.
        subset: rankings of the candidates alone, for `recall_subset@k`. Without it that is
            reported only where `rankings` holds every candidate of each query that it ranks.
        keep_reference: whether the reference stays where it was ranked; None takes the set's own
            protocol.
        measures: what to report; None takes the measures of the set's protocol.

    Raises:
        UsageError: the rankings do not fit the set, or the set has no targets.
    """
    if not labelled.judged:
        raise UsageError(f"The split {labelled.split!r} of {labelled.name} names no targets.")
    measures = labelled.protocol.measures if measures is None else measures
    check_measures(labelled, measures)
    notes = list(_missing(labelled, rankings))
    main: Rankings | None = rankings
    if rankings.of_candidates:
        main, subset = None, rankings
    elif subset is not None:
        notes += _missing(labelled, subset)
    elif not labelled.has_candidates or _ranks_candidates(labelled, rankings):
        subset = rankings
    else:
        notes.append(
            f"{rankings.name} does not rank every candidate of each query, so recall_subset is "
            "left out: name a search among the candidates alone with --subset-run."
        )
    if keep_reference is None:
        keep_reference = labelled.protocol.keep_reference
    relevance = judged(
        labelled,
        main.by_query if main else {},
        subset.by_query if subset and labelled.has_candidates else None,
        keep_reference=keep_reference,
    )
    told = [
        measure
        for measure in measures
        if (subset if isinstance(measure, RecallSubset) else main) is not None
    ]
    values = score(relevance, told)
    return Scored({"set": labelled.name, **figures_of(labelled, values)}, tuple(notes))


def judged(
    labelled: LabelledSet,
    rankings: Mapping[str, Ids],
    subsets: Mapping[str, Ids] | None = None,
    *,
    keep_reference: bool,
) -> Relevance:
    """What the rankings hold of the set's targets; rows in the order of the set's queries.

    Args:
        labelled: the set, its images named as in the rankings.
        rankings: query id -> ranked images, best first; the reference may be among them.
        subsets: likewise, of searches in which the candidates were; others are passed over.
        keep_reference: whether the reference counts where it was ranked. It is removed by its
            name alone: a copy of the same bytes may be a target. It is no candidate in any case.
    """
    queries = labelled.queries
    ranked: list[Ids] = []
    for query in queries:
        given = rankings.get(query.id, ())
        if not keep_reference and query.reference in given:
            given = [image for image in given if image != query.reference]
        ranked.append(given)
    among = None
    if subsets is not None:
        wanted = [set(query.candidates) - {query.reference} for query in queries]
        among = [
            [image for image in subsets.get(query.id, ()) if image in allowed]
            for query, allowed in zip(queries, wanted, strict=True)
        ]
    return judge(
        ranked,
        [query.targets for query in queries],
        counted=[query.counted for query in queries],
        subsets=among,
    )


def check_measures(labelled: LabelledSet, measures: Sequence[Measure]) -> None:
    """Refuse measures that the set has nothing for.

    Raises:
        UsageError: a search among candidates is asked for, and the queries have none.
    """
    if not labelled.has_candidates:
        for measure in measures:
            if isinstance(measure, RecallSubset):
                raise UsageError(
                    f"{measure} is of a search among candidates; the queries of {labelled.name} "
                    "have none."
                )


def measures_of(labelled: LabelledSet) -> Sequence[Measure]:
    """What is reported of a run of this set: nothing where its targets are not known."""
    return labelled.protocol.measures if labelled.judged else ()


def figures_of(labelled: LabelledSet, values: Mapping[str, Values]) -> dict[str, Any]:
    """Means over all queries and over each group: `queries`, `metrics`, `groups`."""
    return {
        "queries": len(labelled.queries),
        "metrics": mean(values),
        "groups": {
            name: {"queries": len(rows), **mean(values, rows)}
            for name, rows in labelled.groups().items()
        },
    }


def _missing(labelled: LabelledSet, rankings: Rankings) -> list[str]:
    missing = [query.id for query in labelled.queries if query.id not in rankings.by_query]
    if not missing:
        return []
    return [
        f"{rankings.name} ranks nothing for {len(missing)} of {len(labelled.queries)} queries "
        f"(for example {missing[0]!r}); they count 0."
    ]


def _ranks_candidates(labelled: LabelledSet, rankings: Rankings) -> bool:
    return all(
        set(query.candidates) - {query.reference} <= set(rankings.by_query[query.id])
        for query in labelled.queries
        if query.id in rankings.by_query
    )
