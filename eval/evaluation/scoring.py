"""From rankings to figures: of a run, or of a file that any system wrote."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cir.errors import UsageError
from eval.measures import (
    Ids,
    Judged,
    Measure,
    Negatives,
    Relevance,
    Values,
    judge,
    mean,
    parse_measure,
    score,
)
from eval.runs.rankings import read_rankings
from eval.runs.ranks import COMPOSED, composition_gain
from eval.sets.labelled import Absent, LabelledSet

_OF_NEGATIVES = (Negatives(10), Judged(10))


@dataclass(frozen=True)
class Scored:
    """Figures of rankings.

    Attributes:
        document: `set`, `queries`, `metrics` and `groups`.
        notes: what a person should know beside the figures, a sentence each.
        left_out: measures of a search among the candidates alone, where none was made.
    """

    document: dict[str, Any]
    notes: tuple[str, ...] = ()
    left_out: tuple[Measure, ...] = ()

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
    measures: Sequence[Measure] | None = None,
    allow_missing: bool = False,
) -> Scored:
    """Score a TREC run or a submission file; needs no image and no encoder.

    Args:
        labelled: the set that was asked.
        run: the file.
        subset_run: rankings of the candidates alone, for `recall_subset@k`.
        keep_reference, measures: as `score_rankings`.
        allow_missing: whether queries without a ranking count as never found, see
            `eval.runs.rankings.checked_rankings`.

    Raises:
        UsageError: a file does not fit the set, or the set has no targets.
    """
    _check_judged(labelled)
    ranked = read_rankings(run, labelled, allow_missing=allow_missing)
    main: Mapping[str, Ids] | None = ranked.by_query
    subset: Mapping[str, Ids] | None = None
    notes = ranked.notes
    if ranked.of_candidates:
        main, subset = None, ranked.by_query
    else:
        check_whole(labelled, ranked.by_query, str(run))
    if subset_run is not None:
        if main is None:
            raise UsageError(f"{run} and {subset_run} both rank the candidates alone.")
        if not labelled.has_candidates:
            raise UsageError(f"The queries of {labelled.name} have no candidates to rank alone.")
        few = read_rankings(subset_run, labelled, of_candidates=True, allow_missing=allow_missing)
        subset, notes = few.by_query, (*notes, *few.notes)
    scored = score_rankings(
        labelled, main, subset, keep_reference=keep_reference, measures=measures, name=str(run)
    )
    more = _missing(labelled, subset or {}, str(subset_run)) if subset_run and main else ()
    return replace(scored, notes=(*notes, *scored.notes, *more))


def score_rankings(
    labelled: LabelledSet,
    rankings: Mapping[str, Ids] | None,
    subsets: Mapping[str, Ids] | None = None,
    *,
    keep_reference: bool | None = None,
    measures: Sequence[Measure] | None = None,
    name: str = "The given run",
) -> Scored:
    """Score rankings; queries without one count 0.

    Args:
        labelled: the set that was asked, its images named as in the rankings.
        rankings: query id -> ranked images, best first; None where the candidates alone were
            searched: then their measures alone are reported.
        subsets: likewise, rankings of the candidates. Without them, measures of such a search are
            reported only where `rankings` rank every candidate of each query that they rank.
        keep_reference: whether the reference stays where it was ranked; None takes the set's own
            protocol.
        measures: what is reported; None takes those of `measures_of`.
        name: what to call the rankings in notes: the start of a sentence.

    Raises:
        UsageError: the set has no targets, or a measure is not for it.
    """
    _check_judged(labelled)
    wanted = measures_of(labelled) if measures is None else measures
    _check_measures(labelled, wanted)
    if subsets is None and rankings is not None and ranks_candidates(labelled, rankings):
        subsets = rankings
    # What a measure is of must have been searched: the gallery, the candidates, or both.
    lacking = {among for among, of in ((False, rankings), (True, subsets)) if of is None}
    reported = [
        each for each in wanted if not lacking & {part.among_candidates for part in each.parts}
    ]
    left_out = tuple(
        part for each in wanted for part in each.parts if part.among_candidates and subsets is None
    )
    if keep_reference is None:
        keep_reference = labelled.protocol.keep_reference
    relevance = judged(labelled, rankings or {}, subsets, keep_reference=keep_reference)
    document = {"set": labelled.name, **figures_of(labelled, score(relevance, reported))}
    ranked = subsets if rankings is None else rankings
    return Scored(document, tuple(_missing(labelled, ranked or {}, name)), left_out)


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
        negatives=[query.negatives for query in queries],
    )


def measures_of(labelled: LabelledSet, further: Sequence[Measure] = ()) -> tuple[Measure, ...]:
    """What is reported of a run of this set: nothing where its targets are not known.

    Args:
        labelled: the set.
        further: measures beside those of its protocol; where images were judged to be no targets,
            `negatives@10` and `judged@10` come by themselves.

    Raises:
        UsageError: a measure wants candidates or such images, and the set has none.
    """
    _check_measures(labelled, further)
    own = labelled.protocol.measures
    if labelled.has_negatives:
        own = (*own, *_OF_NEGATIVES)
    return tuple(dict.fromkeys([*own, *further])) if labelled.judged else ()


def figures(labelled: LabelledSet, values: Mapping[str, Mapping[str, Values]]) -> dict[str, Any]:
    """Means over all queries, over each group, and for each mode when there are several.

    Args:
        labelled: the set that was run.
        values: mode -> measure -> the value of each query; `composed` is there.

    Returns:
        `queries`, `metrics` and `groups` of the composed query; with the ablations `modes`, and
        `composition_gain`: for each measure the best of the others and the points beyond it.
    """
    document = figures_of(labelled, values[COMPOSED])
    if not labelled.judged:
        return document | {"groups": {}, "judged": False}
    if spread := wording_spread(labelled, values[COMPOSED]):
        document["wordings"] = spread
    if len(values) > 1:
        modes = {mode: mean(of_mode) for mode, of_mode in values.items()}
        document["modes"] = modes
        document["composition_gain"] = {
            name: {"best": gain.best, "mode": gain.mode, "points": gain.points}
            for name in document["metrics"]
            if (gain := composition_gain(modes, name))
        }
    return document


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


def wording_spread(labelled: LabelledSet, values: Mapping[str, Values]) -> dict[str, Any]:
    """How much the figures depend on the wording, where queries have several.

    Args:
        labelled: the set that was run.
        values: measure -> the value of each query.

    Returns:
        `queries` (that have several wordings), `wordings` (of these, themselves among them), and
        `metrics`: for each measure the means over these queries of the `mean` over their wordings,
        of the `worst` of them, and of the `spread`, best minus worst. Empty without such queries.
    """
    families = labelled.wordings()
    if not families:
        return {}
    metrics = {}
    for name, column in values.items():
        lower = parse_measure(name).lower_is_better
        parts = [column[rows] for rows in families.values()]
        worst = [part.max() if lower else part.min() for part in parts]
        metrics[name] = {
            "mean": float(np.mean([part.mean() for part in parts])),
            "worst": float(np.mean(worst)),
            "spread": float(np.mean([np.ptp(part) for part in parts])),
        }
    counts = {"queries": len(families), "wordings": sum(map(len, families.values()))}
    return {**counts, "metrics": metrics}


def absent_counts(absent: Absent) -> dict[str, int]:
    """How many images and targets the gallery lacks; their queries count as never found."""
    counts = {
        "references": len(absent.references),
        "targets": len(absent.targets),
        "unreachable_queries": len(absent.unreachable),
    }
    others = len(absent.others) + absent.unnamed
    return counts | ({"others": others} if others else {})


def depth_notes(measures: Sequence[Measure], images: int) -> list[str]:
    """Says which measures look deeper than the gallery is."""
    deep = [
        str(each)
        for each in measures
        if any(part.depth > images for part in each.parts if not part.among_candidates)
    ]
    if not deep:
        return []
    return [
        f"The gallery holds {images} images, so {', '.join(deep)} look at all of them: "
        "they tell little."
    ]


def _check_judged(labelled: LabelledSet) -> None:
    if not labelled.judged:
        raise UsageError(f"The split {labelled.split!r} of {labelled.name} names no targets.")


def _check_measures(labelled: LabelledSet, measures: Sequence[Measure]) -> None:
    for measure in measures:
        among = any(part.among_candidates for part in measure.parts)
        if among and not labelled.has_candidates:
            raise UsageError(
                f"{measure} is of a search among each query's candidates, and the queries of "
                f"{labelled.name} have none: choose another measure."
            )
        if measure.of_negatives and not labelled.has_negatives:
            raise UsageError(
                f"{measure} is of images that were judged to be no targets (score 0 in qrels), and "
                f"{labelled.name} has none: choose another measure."
            )


def check_whole(labelled: LabelledSet, rankings: Mapping[str, Ids], run: str) -> None:
    """Refuse rankings of the candidates alone as those of the gallery: recall would be too high."""
    gallery = labelled.gallery or {}
    few = {query.id: {*query.candidates, query.reference} for query in labelled.queries}
    if (
        labelled.has_candidates
        and rankings
        and all(
            len(few[query]) < len(gallery) and few[query].issuperset(ranked)
            for query, ranked in rankings.items()
        )
    ):
        raise UsageError(
            f"{run} ranks nothing but the candidates of each query: it is no search of the "
            f"{len(gallery)} images of {labelled.name}. Name it as the ranking of the candidates, "
            "beside one of the whole gallery."
        )


def _missing(labelled: LabelledSet, rankings: Mapping[str, Ids], name: str) -> list[str]:
    missing = [query.id for query in labelled.queries if query.id not in rankings]
    if not missing:
        return []
    return [
        f"{name} ranks nothing for {len(missing)} of {len(labelled.queries)} queries "
        f"(for example {missing[0]!r}); they count 0."
    ]


def ranks_candidates(labelled: LabelledSet, rankings: Mapping[str, Ids]) -> bool:
    """Whether rankings of the gallery hold every candidate of each query that they rank."""
    return labelled.has_candidates and all(
        set(query.candidates) - {query.reference} <= set(rankings[query.id])
        for query in labelled.queries
        if query.id in rankings
    )
