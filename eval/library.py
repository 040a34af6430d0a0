"""The functions that `import eval` offers: the bench for programs, with settings by default.

The command line does the same with flags. What a function calls is in the rooms of `eval`.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cir.encoders.protocol import Encoder
from cir.errors import UsageError
from cir.library import Index
from cir.progress import OnProgress
from cir.search import USUAL, Mode, SearchOptions
from cir.settings import Settings, load_settings
from eval.comparison import comparing, means, paired
from eval.comparison import difficulty as query_difficulty
from eval.evaluation import importing, repeating, running, scoring
from eval.measures import Measure, parse_measure
from eval.reporting import page
from eval.runs import rankings as run_files
from eval.runs import reading
from eval.runs.ranks import COMPOSED
from eval.runs.reading import Run
from eval.runs.writing import SUBSET
from eval.sets import catalogue
from eval.sets.labelled import LabelledSet

AnyPath = str | os.PathLike[str]


def load_set(
    name: AnyPath,
    *,
    root: AnyPath | None = None,
    split: str | None = None,
    template: str | None = None,
    settings: Settings | None = None,
    **options: bool,
) -> LabelledSet:
    """A labelled set: composed queries with the images that are right answers.

    Args:
        name: "cirr", "circo", "fashioniq-dress" and so on, or "native", with `root`; else the name
            of a registered set or of one of your own, "sample" or "sample-hard" for the sample
            catalogue's, which is drawn where it is not there yet, or the folder of a native set
            (`queries.jsonl` and `qrels/`).
        root: folder of the annotation files of a published set.
        split: which judgements; None takes the usual one.
        template: how instructions are said, "bge-vl", "magiclens" or "searle" for the published
            sets that these were asked in, or a text with `{caption}` in it; None says them as they
            stand.
        settings: where sets are kept; None takes the environment's.
        options: those of the format that are on; FashionIQ's are `small_gallery` (search references
            and targets alone) and `both_orders` (average both orders of the two captions).

    Raises:
        UsageError: there is no such set, or something of it is missing or malformed; the message
            names file and line.
    """
    settings = settings or load_settings()
    place = catalogue.place_of(os.fspath(name), None if root is None else Path(root), settings)
    return catalogue.load_place(place, split, options, template)


def run(
    labelled: LabelledSet | AnyPath,
    *,
    gallery: AnyPath | None = None,
    index: str | Index | None = None,
    encoder: str | Encoder | None = None,
    ablations: bool = False,
    split: str | None = None,
    keep_reference: bool | None = None,
    allow_missing: bool = False,
    measures: Sequence[str | Measure] = (),
    options: SearchOptions = USUAL,
    out: AnyPath | None = None,
    settings: Settings | None = None,
    on_progress: OnProgress | None = None,
) -> Run:
    """Ask every query of a labelled set, and measure what is found; the run is kept on disk.

    Args:
        labelled: the set, or what `load_set` takes as its name.
        gallery: folder of the images to search. They are encoded once and kept; a later run reads
            only what has changed. None for this and `index` takes the images that the set knows.
        index: an index to search instead, as `cir.Store` gives it, or its name.
        encoder: an object with the protocol of `cir.encoders.protocol.Encoder`, an encoder's name,
            or "module:attribute" of one of your own. None takes the index's own, or the one of the
            settings.
        ablations: whether to run image, text and their sum beside the composed query.
        split: which judgements, where `labelled` is a name.
        keep_reference: whether the reference image stays in the ranking; None takes the set's own
            protocol.
        allow_missing: whether images that the gallery lacks count as never found; else they are an
            error.
        measures: what to report beside the measures of the set's protocol, such as "recall@20".
        options: how each query is searched; its `limit` and `where` do not matter.
        out: folder of the run, new or empty; None makes one among the runs of the data folder.
        settings: where galleries and runs are kept; None takes the environment's.
        on_progress: told how far the encoding of the gallery and then the queries are; what it
            raises ends the run, of which nothing is left.

    Raises:
        UsageError: a folder, index, encoder or labelled set that cannot be used as asked.
        EncoderMismatchError: another encoder made the index.
        ReadOnlyError: the settings allow no change.
        RecomposeError: the run failed.
    """
    settings = settings or load_settings()
    if not isinstance(labelled, LabelledSet):
        labelled = load_set(labelled, split=split, settings=settings)
    elif split not in {None, labelled.split}:
        raise UsageError(f"{labelled.name} is read already: name the split in load_set.")
    request = running.Request(
        gallery=None if gallery is None else Path(gallery),
        index=index,
        encoder=encoder,
        ablations=ablations,
        keep_reference=keep_reference,
        allow_missing=allow_missing,
        measures=_measures(measures),
        options=options,
        out=None if out is None else Path(out),
    )
    document = running.run(labelled, request, settings, on_progress)
    return replace(open_run(document["run"], settings=settings), labelled=labelled)


def score(
    labelled: LabelledSet,
    rankings: Mapping[str, Sequence[str]] | AnyPath | Run,
    *,
    measures: Sequence[str | Measure] | None = None,
    keep_reference: bool | None = None,
    allow_missing: bool = False,
) -> scoring.Scored:
    """Measure rankings that any system made: needs no images and no encoder.

    Args:
        labelled: the set that was asked.
        rankings: query id -> ranked images, best first, named as in the set or by their paths; a
            TREC run file or a submission file; or a run.
        measures: what to report, such as "recall@20" or "map@5"; None takes the measures of the
            set's protocol, and of judged images where the set knows some that are no targets.
        keep_reference: whether the reference counts where it was ranked; None takes the set's own
            protocol.
        allow_missing: whether queries that are not ranked, and rankings without any image that the
            set names, count as never found; else they are an error. A run keeps what it was told.

    Returns:
        `metrics` (measure -> mean over all queries, 0 to 1), `groups` (the same by group, with the
        number of `queries`), and `notes`, what a person should know beside them.

    Raises:
        UsageError: the rankings do not fit the set (the message names the first image or query),
            rank an image twice, or cannot be read; or the set has no targets.
    """
    wanted = None if measures is None else _measures(measures)
    if isinstance(rankings, Run):
        if rankings.folder is None:
            raise UsageError(f"{rankings.name} came without its rankings.")
        among = rankings.folder / f"{COMPOSED}.{SUBSET}.trec"
        return scoring.score_file(
            labelled,
            rankings.folder / f"{COMPOSED}.trec",
            subset_run=among if among.is_file() else None,
            keep_reference=keep_reference,
            measures=wanted,
            allow_missing=allow_missing or rankings.part("settings").get("allow_missing") is True,
        )
    if isinstance(rankings, Mapping):
        given = run_files.checked_rankings(rankings, labelled, allow_missing=allow_missing)
        scoring.check_whole(labelled, given, "The mapping")
        return scoring.score_rankings(
            labelled, given, keep_reference=keep_reference, measures=wanted
        )
    return scoring.score_file(
        labelled,
        Path(rankings),
        keep_reference=keep_reference,
        measures=wanted,
        allow_missing=allow_missing,
    )


def import_run(
    labelled: LabelledSet,
    rankings: Mapping[str, Sequence[str]] | AnyPath,
    *,
    system: str,
    ablations: Mapping[str, Mapping[str, Sequence[str]] | AnyPath] | None = None,
    subset_rankings: Mapping[str, Sequence[str]] | AnyPath | None = None,
    gallery: AnyPath | None = None,
    keep_reference: bool | None = None,
    allow_missing: bool = False,
    measures: Sequence[str | Measure] = (),
    out: AnyPath | None = None,
    settings: Settings | None = None,
) -> Run:
    """Make a run of what any system found, to compare, report and look into as any other.

    Args:
        labelled: the set that was asked.
        rankings: query id -> ranked images, best first; a TREC run file, a submission file or
            `{query: {image: score}}` as JSON; or an `.npz` of embeddings with the arrays `gallery`,
            `gallery_ids`, `queries`, `query_ids`, and perhaps `image`, `text`, `sum`.
        system: what the run calls the system.
        ablations: "image", "text" or "sum" -> rankings of what the system finds by these.
        subset_rankings: rankings of each query's candidates alone (CIRR).
        gallery: folder of the images that were searched: pictures are shown from it, and rankings
            of other images are refused.
        keep_reference, measures, out, settings: as `run`.
        allow_missing: whether queries without a ranking, and images that the gallery lacks, count
            as never found; else they are an error.

    Raises:
        UsageError: something cannot be read or does not fit; the message names the first problem,
            and no run is left.
        ReadOnlyError: the settings allow no change.
        RecomposeError: the disk refuses.
    """
    settings = settings or load_settings()
    request = importing.Request(
        system=system,
        rankings=_rankings(rankings),
        ablations={mode: _rankings(given) for mode, given in (ablations or {}).items()},
        subset_rankings=None if subset_rankings is None else _rankings(subset_rankings),
        gallery=None if gallery is None else Path(gallery),
        keep_reference=keep_reference,
        allow_missing=allow_missing,
        measures=_measures(measures),
        out=None if out is None else Path(out),
    )
    document = importing.import_run(labelled, request, settings)
    return replace(open_run(document["run"], settings=settings), labelled=labelled)


def compare(
    runs: Sequence[Run | tuple[Run, Mode]], *, measure: str | None = None, seed: int = 0
) -> comparing.Comparison:
    """Compare runs of one labelled set with the first of them, query by query.

    Args:
        runs: two or more runs; (run, "sum") is how a run's ablation "image", "text" or "sum" did.
        measure: the one to draw conclusions about, to be chosen before one looks; None takes
            recall@10 where it was measured.
        seed: of resamples and random signs; the same seed gives the same figures.

    Returns:
        Prints as a table: figures, differences in percentage points, their 95 % intervals and p,
        and what may be concluded, in words. `differences` holds the numbers.

    Raises:
        UsageError: the runs are not of one set searched in the same images, or lack the measure.
    """
    return comparing.compare([*map(_contender, runs)], seed=seed, measure=measure)


def compare_means(
    first: Sequence[Run], this: Sequence[Run], *, measure: str | None = None, seed: int = 0
) -> means.MeanComparison:
    """Compare one system's mean over several sets with another's, in one test over all queries.

    FashionIQ's figure is such a mean, over three categories that count once each.

    Args:
        first: runs of one system, one a set.
        this: runs of another on the same sets, in any order.
        measure: the one to draw conclusions about; None takes what papers rank systems by where
            the sets have it, else recall@10.
        seed: of resamples and random signs.

    Returns:
        Prints as figures, differences and what may be concluded; `differences` holds the numbers.

    Raises:
        UsageError: a side mixes protocols or lacks a set, or the sides do not fit each other.
    """
    return means.compare_means(first, this, measure=measure, seed=seed)


def difficulty(
    runs: Sequence[Run | tuple[Run, Mode]], *, measure: str | None = None
) -> query_difficulty.Difficulty:
    """Look at each query of a labelled set over many runs.

    Args:
        runs: two or more of one set; (run, "sum") is how a run's ablation did.
        measure: by which a query is found or missed; None takes recall@10 where it was measured.

    Returns:
        `hard()`, what every system misses; `separating()`, what strong ones find and weak ones
        miss; `doubtful()`, whose labels are worth a second look; `queries`, all of them.

    Raises:
        UsageError: the runs do not compare, or do not tell of the measure.
    """
    return query_difficulty.difficulty([*map(_contender, runs)], measure=measure)


def open_run(run: AnyPath, *, settings: Settings | None = None) -> Run:
    """The run in a folder, or of this name among the runs of the data folder.

    Raises:
        UsageError: there is no such run, or it is damaged.
    """
    return reading.open_run(Path(run), (settings or load_settings()).runs_dir)


def repeat(
    run: Run | AnyPath,
    *,
    encoder: str | Encoder | None = None,
    rerank: str | None = None,
    out: AnyPath | None = None,
    settings: Settings | None = None,
    on_progress: OnProgress | None = None,
) -> dict[str, Any]:
    """Do a run again as it was done, and tell whether it comes out the same.

    Args:
        run: a run on disk, its folder or its name.
        encoder: where it is one of your own; None takes the run's by its name.
        rerank: the run's second stage, where that is a folder: none is taken from a run.
        out, settings, on_progress: as in `run`.

    Returns:
        `same`, whether all figures and rankings are; `figures`, `rankings` and `conditions`, what
        differs and by how much; `run` and `repeats`, the folders.

    Raises:
        UsageError: the run does not say how it was made, or its set has changed.
        RecomposeError: the run failed.
    """
    settings = settings or load_settings()
    before = run if isinstance(run, Run) else open_run(run, settings=settings)
    return repeating.repeat(
        before,
        settings,
        encoder=encoder,
        rerank=rerank,
        out=None if out is None else Path(out),
        on_progress=on_progress,
    )


def list_runs(*, settings: Settings | None = None) -> list[Run]:
    """The runs of the data folder, the newest first; damaged ones are left out."""
    return reading.list_runs((settings or load_settings()).runs_dir)[0]


def write_report(
    run: Run, file: AnyPath, *, count: int = 10, settings: Settings | None = None
) -> list[str]:
    """Write a run as one HTML page with pictures that opens anywhere, offline.

    Args:
        run: what `run` or `open_run` gives.
        file: ends in .html or .htm; it is replaced.
        count: how many of the worst and of the best queries are shown.
        settings: where galleries are kept; None takes the environment's.

    Returns:
        What the page lacks, a sentence each.

    Raises:
        UsageError: the file's name ends otherwise, or the run's table is damaged.
        RecomposeError: the disk refuses.
    """
    return page.write_report(run, Path(file), settings or load_settings(), count=count)


def _rankings(given: Mapping[str, Sequence[str]] | AnyPath) -> importing.Given:
    return given if isinstance(given, Mapping) else Path(given)


def _contender(given: Run | tuple[Run, Mode]) -> paired.Contender:
    return paired.Contender(given) if isinstance(given, Run) else paired.Contender(*given)


def _measures(given: Sequence[str | Measure]) -> list[Measure]:
    return [parse_measure(each) if isinstance(each, str) else each for each in given]
