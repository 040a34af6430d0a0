"""What another system found, as a run: then compare, report, mean and the pages work with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cir.access import link_roots, refuse_change
from cir.errors import UsageError
from cir.indexing.walk import walk_images
from cir.search import MODES
from cir.settings import Settings
from eval.errors import BenchWayOut
from eval.evaluation.embeddings import SUFFIXES, read_embeddings
from eval.evaluation.gallery import check_folder
from eval.evaluation.ranking import Stopwatch
from eval.evaluation.scoring import (
    absent_counts,
    check_whole,
    figures,
    judged,
    measures_of,
    ranks_candidates,
)
from eval.measures import Ids, Measure, Values, depth_of, first_target_rank, mean, score
from eval.runs.rankings import checked_rankings, read_rankings
from eval.runs.ranks import COMPOSED
from eval.runs.writing import RunWriter, new_name, package_versions
from eval.sets.catalogue import option_settings
from eval.sets.formats import Rankings
from eval.sets.labelled import Absent, LabelledSet, absent_from, check_present, located

Given = Path | Mapping[str, Sequence[str]]
"""A file of rankings, or query id -> ranked images, best first."""

_MOST_NAME = 200


@dataclass(frozen=True)
class Request:
    """What is imported.

    Attributes:
        system: what the run calls the system, 1 to 200 characters.
        rankings: a TREC run file, a submission file, `{query: {image: score}}` as JSON, rankings in
            memory, or an `.npz` or Parquet file of embeddings, see `eval.evaluation.embeddings`.
        ablations: mode ("image", "text", "sum") -> likewise, no `.npz`, for what the system finds
            by these.
        subset_rankings: of a search among each query's candidates alone (CIRR).
        gallery: folder of the images that were searched: then pictures are shown, and rankings of
            images that are not in it are refused. None where it is not at hand.
        keep_reference: whether the reference image counts where it is ranked; None takes the set's
            own protocol.
        allow_missing: whether queries without a ranking, and images that the gallery lacks, count
            as never found; else they are an error.
        measures: what is reported beside the measures of the set's protocol.
        out: folder of the run; None makes a new one among the runs.
    """

    system: str
    rankings: Given
    ablations: Mapping[str, Given] = field(default_factory=dict)
    subset_rankings: Given | None = None
    gallery: Path | None = None
    keep_reference: bool | None = None
    allow_missing: bool = False
    measures: Sequence[Measure] = ()
    out: Path | None = None


@dataclass(frozen=True)
class _Found:
    """Rankings by mode, whole and of the candidates alone; images named as in the set.

    `images` are all that were searched, where the file says so.
    """

    whole: dict[str, dict[str, list[str]]]
    among: dict[str, dict[str, list[str]]]
    notes: tuple[str, ...] = ()
    images: frozenset[str] | None = None


def import_run(labelled: LabelledSet, request: Request, settings: Settings) -> dict[str, Any]:
    """Write what a system found as a run. The scores in its rankings are one over the rank.

    Returns:
        The run's document, as `eval.evaluation.running.run` has it.

    Raises:
        ReadOnlyError: this Recompose changes nothing.
        UsageError: a file cannot be read or does not fit the set or the gallery; the message names
            the first problem. Nothing is left of the run then.
        RecomposeError: the disk refuses.
    """
    refuse_change(settings.read_only)
    if not request.system.strip() or len(request.system) > _MOST_NAME:
        raise UsageError(f"Give the system a name of 1 to {_MOST_NAME} characters.")
    started, watch = datetime.now(UTC), Stopwatch()
    paths = _gallery_paths(request, settings)
    keep = request.keep_reference
    keep = labelled.protocol.keep_reference if keep is None else keep
    measures = measures_of(labelled, request.measures)
    with watch.measure("reading"):
        found = _read(labelled, request, depth_of(measures) + 1)
    notes = [*labelled.notes, *found.notes]
    if paths is not None:
        labelled, found = _located(labelled, found, paths, request)
    absent = _absent(labelled, found, paths, request, keep)
    modes: list[str] = [mode for mode in MODES if mode in found.whole]
    searched = None if paths is None else _searched(labelled, paths)
    depth = _depth(found.whole, searched, depth_of(measures))
    told = [
        each
        for each in measures
        if all(part.among_candidates or part.depth <= depth for part in each.parts)
    ]
    notes += _depth_notes(found, searched, depth, [each for each in measures if each not in told])

    def ranked(mode: str, kept: bool) -> dict[str, list[str]]:
        """What counts: to the depth, as in a run of the bench's own."""
        given = found.whole[mode]
        return {
            query.id: [each for each in given[query.id] if kept or each != query.reference][:depth]
            for query in labelled.queries
            if query.id in given
        }

    def values_of(mode: str, kept: bool) -> dict[str, Values]:
        among = found.among.get(mode)
        relevance = judged(labelled, ranked(mode, kept), among, keep_reference=kept)
        shown = [
            each
            for each in told
            if among is not None or not any(part.among_candidates for part in each.parts)
        ]
        return score(relevance, shown)

    values = {mode: values_of(mode, keep) for mode in modes}
    if labelled.judged and not values[COMPOSED]:
        raise UsageError(
            f"The rankings hold {depth} images a query, too few for any measure of "
            f"{labelled.name}: name one that looks no deeper, such as recall@{depth}."
        )
    place = request.out or settings.runs_dir / new_name(labelled.name, started)
    candidates = COMPOSED in found.among
    with RunWriter(place, modes, candidates=candidates) as writer:
        for query in labelled.queries:
            writer.add_query(query.id, query.groups)
        writer.add_clusters(labelled.clusters())
        for mode in modes:
            first_targets = {query.id: query.first_targets for query in labelled.queries}
            for query_id, images in ranked(mode, keep).items():
                first = first_target_rank(images, first_targets[query_id])
                writer.add_ranking(query_id, mode, _scored(images), first)
            for query_id, images in found.among.get(mode, {}).items() if candidates else ():
                writer.add_candidates(query_id, mode, _scored(images))
        for mode in modes:
            beyond = [name for each in told if not each.by_rank and (name := str(each))]
            writer.add_values(
                mode, {name: values[mode][name].tolist() for name in beyond if name in values[mode]}
            )
        document = {
            "set": labelled.name,
            "encoder": request.system.strip(),
            **figures(labelled, values),
            "reference": {
                "kept": keep,
                "with": mean(values_of(COMPOSED, True)),
                "without": mean(values_of(COMPOSED, False)),
            },
            "absent": absent_counts(absent),
            "failed": [],
            "notes": notes,
            "seconds": watch.seconds(),
            "run": str(writer.folder),
        }
        provenance = _provenance(labelled, request, keep, depth, started, paths)
        writer.finish(document | provenance)
    return document


def _absent(
    labelled: LabelledSet,
    found: _Found,
    paths: frozenset[str] | None,
    request: Request,
    keep: bool,
) -> Absent:
    """What the gallery lacks, the folder's or that of embeddings; nothing where none is known."""
    images, where = paths, f"the gallery {request.gallery}"
    if images is None:
        images, where = found.images, f"'gallery_ids' of {request.rankings}"
    if images is None:
        return Absent({}, {}, ())
    absent = absent_from(
        labelled,
        images.__contains__,
        # A reference without a row of its own was embedded in its queries all the same.
        images.__contains__ if paths is not None else bool,
        keep_reference=keep,
        images=len(images),
    )
    if not request.allow_missing:
        check_present(absent, where)
    return absent


def _gallery_paths(request: Request, settings: Settings) -> frozenset[str] | None:
    if request.gallery is None:
        return None
    check_folder(request.gallery)
    found = walk_images(request.gallery, roots=link_roots(settings))
    return frozenset(each.path for each in found)


def _searched(labelled: LabelledSet, paths: frozenset[str]) -> int:
    """How many images of the gallery a ranking can hold."""
    return len(paths if labelled.gallery is None else paths & set(labelled.gallery))


def _read(labelled: LabelledSet, request: Request, limit: int) -> _Found:
    """The rankings of all modes, checked against the set."""
    other = sorted(set(request.ablations) - set(MODES[1:]))
    if other:
        raise UsageError(f"There is no ablation {other[0]!r}: name {', '.join(MODES[1:])}.")
    first = request.rankings
    if isinstance(first, Path) and first.suffix.lower() in SUFFIXES:
        if request.ablations or request.subset_rankings is not None:
            raise UsageError(
                f"{first} holds embeddings: its ablations are arrays in it, and candidates are "
                "ranked by it."
            )
        return _embedded(labelled, first, limit, allow_missing=request.allow_missing)
    read = {
        mode: _rankings(labelled, given, request.allow_missing)
        for mode, given in {COMPOSED: first, **request.ablations}.items()
    }
    whole = {mode: dict(each.by_query) for mode, each in read.items()}
    among = {
        mode: ranked
        for mode, ranked in whole.items()
        if labelled.has_candidates and ranks_candidates(labelled, ranked)
    }
    if request.subset_rankings is not None:
        if not labelled.has_candidates:
            raise UsageError(f"The queries of {labelled.name} have no candidates to rank alone.")
        alone = _rankings(
            labelled, request.subset_rankings, request.allow_missing, of_candidates=True
        )
        among[COMPOSED] = dict(alone.by_query)
        read["candidates"] = alone
    return _Found(whole, among, tuple(note for each in read.values() for note in each.notes))


def _rankings(
    labelled: LabelledSet, given: Given, allow_missing: bool, *, of_candidates: bool = False
) -> Rankings:
    if not isinstance(given, Path):
        checked = checked_rankings(
            given, labelled, of_candidates=of_candidates, allow_missing=allow_missing
        )
        if not of_candidates:
            check_whole(labelled, checked, "The mapping")
        return Rankings(checked, of_candidates=of_candidates)
    read = read_rankings(given, labelled, of_candidates=of_candidates, allow_missing=allow_missing)
    if read.of_candidates and not of_candidates:
        raise UsageError(
            f"{given} ranks the candidates of each query alone: name it beside a ranking of the "
            "whole gallery."
        )
    if not of_candidates:
        check_whole(labelled, read.by_query, str(given))
    return read


def _embedded(labelled: LabelledSet, path: Path, limit: int, *, allow_missing: bool) -> _Found:
    """Rankings of embeddings, as deep as they are looked at."""
    embedded = read_embeddings(path)
    id_of = labelled.protocol.id_of
    size = labelled.protocol.gallery_size
    if size is not None and len(embedded.images) > size:
        raise UsageError(
            f"{path}: 'gallery_ids' names {len(embedded.images)} images, and {labelled.name} is "
            f"searched in {size}."
        )
    wanted = {query.id: {*query.candidates} - {query.reference} for query in labelled.queries}
    whole: dict[str, dict[str, list[str]]] = {}
    among: dict[str, dict[str, list[str]]] = {}
    named = {id_of(image): image for image in embedded.images}
    for mode in embedded.modes:
        whole[mode] = checked_rankings(
            dict(embedded.ranked(mode, limit)), labelled, str(path), allow_missing=allow_missing
        )
        if labelled.has_candidates:
            own = {
                query: [named[image] for image in images if image in named]
                for query, images in wanted.items()
                if query in whole[mode]
            }
            found = {query: embedded.ranked_among(mode, query, own[query]) for query in own}
            among[mode] = {query: [*map(id_of, images)] for query, images in found.items()}
    return _Found(whole, among, images=frozenset(map(id_of, embedded.images)))


def _located(
    labelled: LabelledSet, found: _Found, paths: frozenset[str], request: Request
) -> tuple[LabelledSet, _Found]:
    """Set and rankings with images named by their paths in the gallery.

    Raises:
        UsageError: a ranking holds an image that the gallery lacks.
    """
    by_id = {labelled.protocol.id_of(path): path for path in paths}
    if not request.allow_missing:
        for mode, of_mode in found.whole.items():
            for query, ranked in of_mode.items():
                lost = next((image for image in ranked if image not in by_id), None)
                if lost is not None:
                    raise UsageError(
                        f"The {mode} ranking of the query {query!r} holds the image {lost!r}, "
                        f"which is not in the gallery {request.gallery}.",
                        BenchWayOut.ALLOW_MISSING,
                    )

    def named(rankings: dict[str, dict[str, list[str]]]) -> dict[str, dict[str, list[str]]]:
        return {
            mode: {
                query: [by_id.get(image, image) for image in ranked]
                for query, ranked in of_mode.items()
            }
            for mode, of_mode in rankings.items()
        }

    placed = located(labelled, paths)
    return placed, replace(found, whole=named(found.whole), among=named(found.among))


def _depth(rankings: Mapping[str, Mapping[str, Ids]], searched: int | None, wanted: int) -> int:
    """Down to which rank the rankings tell of targets; those of a whole gallery tell of all."""
    held = min(max(map(len, of_mode.values()), default=0) for of_mode in rankings.values())
    whole = searched is not None and held >= searched - 1  # the reference may be out
    return wanted if whole else max(min(held, wanted), 1)


def _depth_notes(
    found: _Found, searched: int | None, depth: int, left_out: Sequence[Measure]
) -> list[str]:
    """Says what the ends of the rankings hide: the run is as deep as the longest of them."""
    notes = []
    short = [query for query, ranked in found.whole[COMPOSED].items() if len(ranked) < depth]
    if short and searched is None and found.images is None:
        notes.append(
            f"{len(short)} rankings (for example that of {short[0]!r}) hold fewer than the {depth} "
            "images of the longest: a target below their end counts as never found."
        )
    if left_out:
        deeper = ", ".join(map(str, left_out))
        notes.append(f"The rankings hold {depth} images a query: {deeper} look deeper, left out.")
    return notes


def _scored(ranked: Sequence[str]) -> list[tuple[str, float]]:
    return [(image, 1 / rank) for rank, image in enumerate(ranked, 1)]


def _provenance(
    labelled: LabelledSet,
    request: Request,
    keep: bool,
    depth: int,
    started: datetime,
    paths: frozenset[str] | None,
) -> dict[str, Any]:
    """What the run was made of."""
    source = labelled.source
    first = request.rankings
    gallery = {"kind": "folder", "folder": str(request.gallery and request.gallery.resolve())}
    return {
        "date": started.isoformat(timespec="seconds"),
        "imported": first.name if isinstance(first, Path) else None,
        "settings": {
            "set": str(source.root.resolve()) if source else None,
            "format": source.format if source else None,
            "encoder": request.system.strip(),
            **option_settings(source.options if source else None),
            "split": labelled.split,
            "keep_reference": keep,
            "allow_missing": request.allow_missing,
            "depth": depth,
        },
        "gallery": {} if paths is None else {**gallery, "images": _searched(labelled, paths)},
        "set_fingerprint": labelled.fingerprint,
        "clusters": labelled.protocol.shared if labelled.clusters() else None,
        "versions": package_versions(),
    }
