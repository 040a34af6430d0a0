"""A labelled set asked in a gallery: one evaluation, from the two to a run on disk."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cir.access import link_roots, refuse_change
from cir.encoders.protocol import Encoder, files_of
from cir.encoders.registry import choice_of_index, choose, is_own, load_encoder
from cir.errors import UsageError
from cir.indexing.walk import walk_images
from cir.library import Index
from cir.progress import OnProgress
from cir.search import MODES, USUAL, SearchOptions, bench_options
from cir.settings import Settings
from cir.store import MilvusIndex, gallery_store, index_store
from eval.errors import BenchWayOut
from eval.evaluation.gallery import Gallery, check_folder, open_folder, open_index
from eval.evaluation.ranking import COMPOSED, Ranked, Stopwatch, evaluate
from eval.evaluation.reranking import Reranking, rerank_notes
from eval.evaluation.scoring import absent_counts, depth_notes, figures, judged, measures_of
from eval.measures import DEPTH, Measure, Relevance, Values, depth_of, mean, score
from eval.runs.writing import RunWriter, new_name, our_version, package_versions, peak_memory
from eval.sets.catalogue import option_settings
from eval.sets.labelled import LabelledSet, absent_from, check_present, located
from eval.sets.templates import PLAIN, find_template

GALLERY = "Encoding the gallery"
"""The first stage of a run that encodes a folder; `eval.evaluation.ranking.QUERIES` follows."""


@dataclass(frozen=True)
class Request:
    """Where and how a labelled set is asked.

    Attributes:
        gallery: folder of images; either this or `index`. None for both takes the images that
            the labelled set knows.
        index: a person's index, which knows its encoder, or its display name.
        encoder: an encoder, its name, or `module:attribute`; None takes the index's own, or the
            one of the settings.
        ablations: whether to run image, text and their sum beside the composed query.
        keep_reference: whether the reference image stays in the ranking; None takes the set's
            own protocol.
        allow_missing: whether images that the gallery lacks count as never found.
        measures: what is reported beside the measures of the set's protocol.
        out: folder of the run; None makes a new one among the runs.
        depth: length of the rankings, 1 to 16,383; they are longer where a measure looks deeper.
        weights, tokenizer: where the files of a named encoder are; None where they were, or are
            found.
        precision: a named encoder's arithmetic; "auto" is the index's own.
        options: how each query is searched: those of `cir.search.SearchOptions` that are the
            bench's.
    """

    gallery: Path | None = None
    index: str | Index | None = None
    encoder: str | Encoder | None = None
    ablations: bool = False
    keep_reference: bool | None = None
    allow_missing: bool = False
    measures: Sequence[Measure] = ()
    out: Path | None = None
    depth: int = DEPTH
    weights: str | None = None
    tokenizer: str | None = None
    precision: str = "auto"
    options: SearchOptions = USUAL


def run(
    labelled: LabelledSet,
    request: Request,
    settings: Settings,
    on_progress: OnProgress | None = None,
) -> dict[str, Any]:
    """Evaluate, and leave the run on disk.

    Returns:
        The run's document: `set`, `encoder`, `queries`, `metrics`, `groups`, with ablations
        `modes`, then `absent`, `failed`, `seconds` and `run`, the folder. `run.json` holds the
        same and what the figures were made with.

    Raises:
        UsageError: a folder, index or encoder that cannot be used as asked, a set that does not
            fit its gallery, or a measure that does not fit the set.
        RecomposeError: the run failed.
    """
    refuse_change(settings.read_only)
    images = labelled.source.images if labelled.source else None
    if request.gallery is None and request.index is None and images is not None:
        request = replace(request, gallery=images)
    _check_request(request)
    started = datetime.now(UTC)
    keep = request.keep_reference
    keep = labelled.protocol.keep_reference if keep is None else keep
    measures = measures_of(labelled, request.measures)
    depth = _depth(measures, request.depth)
    request = replace(request, keep_reference=keep, depth=depth)
    modes = MODES if request.ablations else COMPOSED
    place = request.out or settings.runs_dir / new_name(labelled.name, started)
    watch = Stopwatch()
    reranking = Reranking(request.options, settings) if request.options.rerank else None
    with RunWriter(place, modes, candidates=labelled.has_candidates) as writer:
        gallery, labelled = open_gallery(request, labelled, settings, watch, on_progress)
        absent = absent_from(
            labelled,
            gallery.paths.__contains__,
            gallery.has_reference,
            keep_reference=keep,
            images=len(gallery.paths),
        )
        if not request.allow_missing:
            check_present(absent, gallery.label)
        with watch.measure("queries"):
            found = evaluate(
                labelled,
                gallery,
                writer,
                watch,
                modes=modes,
                keep_reference=keep,
                depth=depth,
                options=request.options,
                settings=settings,
                on_progress=on_progress,
                on_rerank=reranking.take if reranking else lambda outcome: None,
            )

        def values_of(ranked: Ranked, kept: bool) -> dict[str, Values]:
            return score(_judged(labelled, ranked, kept, depth), measures)

        with watch.measure("measures"):
            values: dict[str, dict[str, Values]] = {}
            for mode in modes:
                values[mode] = values_of(found[mode], keep)
                writer.add_values(mode, _beyond_ranks(measures, values[mode]))
        before = found["composed"].before
        second_stage = (
            reranking.document(mean(values_of(before, keep))) if reranking and before else None
        )
        document = {
            "set": labelled.name,
            "encoder": gallery.encoder.spec.name,
            **figures(labelled, values),
            "reference": {
                "kept": keep,
                "with": mean(values_of(found["composed"], True)),
                "without": mean(values_of(found["composed"], False)),
            },
            "absent": absent_counts(absent),
            "failed": [asdict(failure) for failure in gallery.failed],
            "notes": [
                *labelled.notes,
                *depth_notes(measures, len(gallery.paths)),
                *_exactness_notes(gallery.index),
                *(rerank_notes(second_stage, mean(values["composed"])) if second_stage else []),
            ],
            **({"rerank": second_stage} if second_stage else {}),
            "seconds": watch.seconds(),
            "run": str(writer.folder),
        }
        writer.finish(document | _provenance(request, labelled, gallery, started))
    return document


def _depth(measures: Sequence[Measure], least: int) -> int:
    """Length of the rankings; one more is searched, so that the reference can be taken out."""
    from cir.store.collection import MAX_LIMIT  # late, as all that reads Milvus

    depth = max(least, depth_of(measures))
    if depth >= MAX_LIMIT:
        raise UsageError(f"A run ranks at most {MAX_LIMIT - 1} images a query: choose a smaller k.")
    return depth


def _check_request(request: Request) -> None:
    if (request.gallery is None) == (request.index is None):
        raise UsageError("A labelled set is searched in one place.", BenchWayOut.NAME_A_GALLERY)
    if request.gallery is not None:
        check_folder(request.gallery)


def _judged(labelled: LabelledSet, found: Ranked, keep_reference: bool, depth: int) -> Relevance:
    """What the rankings hold of the targets; a ranking counts to the depth that is written."""
    paths = {
        query.id: [
            path
            for path in found.paths.get(query.id, ())
            if keep_reference or path != query.reference
        ][:depth]
        for query in labelled.queries
    }
    among = found.among if labelled.has_candidates else None
    return judged(labelled, paths, among, keep_reference=keep_reference)


def _beyond_ranks(
    measures: Sequence[Measure], values: Mapping[str, Values]
) -> dict[str, Sequence[float]]:
    """The measures that the rank of the first target does not give."""
    return {str(each): values[str(each)].tolist() for each in measures if not each.by_rank}


def open_gallery(
    request: Request,
    labelled: LabelledSet,
    settings: Settings,
    watch: Stopwatch,
    on_progress: OnProgress | None,
) -> tuple[Gallery, LabelledSet]:
    """What is searched, and the set with its images named by their paths there."""
    encoder = request.encoder
    choice = choose(
        settings,
        encoder if isinstance(encoder, str) else None,
        weights=request.weights,
        tokenizer=request.tokenizer,
        precision=request.precision,
    )
    if isinstance(encoder, str) and is_own(encoder):
        encoder = load_encoder(choice)  # of somebody's own, known by another name to its index
    elif isinstance(encoder, str):
        encoder = choice.name  # in the form in which an index keeps it
    if request.index is not None:
        with watch.measure("gallery"):
            if isinstance(request.index, str):
                index = index_store(settings).open(request.index)
            else:
                index = request.index
                encoder = encoder or request.index.encoder
            gallery = open_index(
                index,
                encoder,
                lambda info: load_encoder(choice_of_index(info, choice), download=False),
            )
        labelled = located(labelled, gallery.paths)
        _check_split(labelled, gallery)
        return gallery, labelled
    folder = request.gallery or Path()
    store, roots = gallery_store(settings), link_roots(settings)
    with watch.measure("encoder"):
        if encoder is None or isinstance(encoder, str):
            encoder = load_encoder(choice, download=False)
    with watch.measure("gallery"):
        only = None
        if labelled.protocol.image_id is not None:
            paths = {found.path for found in walk_images(folder, roots=roots)}
            labelled = located(labelled, paths)
            only = None if labelled.gallery is None else paths & set(labelled.gallery)
        if only is not None and not only:
            raise UsageError(
                f"{folder} holds no image of {labelled.name}: files are named by the "
                f"annotations' ids, for example {next(iter(labelled.gallery or ()))!r}."
            )
        told = on_progress and (lambda each: on_progress(replace(each, stage=GALLERY)))
        gallery = open_folder(store, folder, encoder, told, only=only, roots=roots)
        _check_split(labelled, gallery)
        return gallery, labelled


def _check_split(labelled: LabelledSet, gallery: Gallery) -> None:
    """A set that is searched in its split is not searched in more."""
    beyond = () if labelled.gallery is None else gallery.paths - set(labelled.gallery)
    size = labelled.protocol.gallery_size
    if size is not None and len(gallery.paths) > size:
        raise UsageError(
            f"{labelled.name} is searched in {size} images; {gallery.label} holds "
            f"{len(gallery.paths)}: search the folder of the benchmark's images alone."
        )
    if beyond:
        raise UsageError(
            f"{labelled.name} is searched in the {len(labelled.gallery or ())} images of its "
            f"split; {gallery.label} holds {len(beyond)} others, too.",
            BenchWayOut.PICK_THE_SPLIT,
        )


def _exactness_notes(index: MilvusIndex) -> list[str]:
    recall = index.info.recall
    if index.is_behind():
        return ["Searches of this index miss some of the nearest images until it is rebuilt."]
    if recall is None or recall.worst == 1:
        return []
    return [
        f"Searches of this index are not exact: their recall@{recall.at} was {recall.mean:.2f} on "
        f"average and {recall.worst:.2f} at worst, of {recall.sample} of its images."
    ]


def _provenance(
    request: Request, labelled: LabelledSet, gallery: Gallery, started: datetime
) -> dict[str, Any]:
    """What the figures were made with. Neither address nor token of Milvus is written down."""
    info, encoder, source = gallery.index.info, gallery.encoder, labelled.source
    return {
        "date": started.isoformat(timespec="seconds"),
        "settings": {
            "set": str(source.root.resolve()) if source else None,
            "format": source.format if source else None,
            "encoder": encoder.spec.name,
            "weights": files_of(encoder)[0],
            "tokenizer": files_of(encoder)[1],
            **option_settings(source.options if source else None),
            "split": labelled.split,
            "template": labelled.template or None,
            "template_text": find_template(labelled.template or PLAIN, labelled).text,
            "ablations": request.ablations,
            "keep_reference": request.keep_reference,
            "allow_missing": request.allow_missing,
            "depth": request.depth,
            **{each.name: getattr(request.options, each.name) for each in bench_options()},
        },
        "encoder_fingerprint": encoder.fingerprint,
        "precision": encoder.precision,
        "gallery": {
            "kind": info.kind,
            "name": info.name,
            "folder": str(gallery.folder),
            "images": len(gallery.paths),
            "index_type": info.index_type,
            "recall": asdict(info.recall) if info.recall else None,
            "fingerprint": gallery.fingerprint,
        },
        "set_fingerprint": labelled.fingerprint,
        "recompose": our_version(),
        "device": str(getattr(encoder, "device", "cpu")),
        "peak_memory": peak_memory(),
        "clusters": labelled.protocol.shared if labelled.clusters() else None,
        "versions": package_versions(),
    }
