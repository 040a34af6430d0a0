"""One evaluation from folder names to a run on disk."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from cir.access import refuse_change
from cir.encoders.shared import encoder_of_index, shared_encoder
from cir.errors import UsageError
from cir.indexing.walk import walk_images
from cir.progress import Progress
from cir.search import MODES
from cir.settings import Settings
from cir.store import gallery_store, index_store
from eval.errors import BenchWayOut
from eval.evaluation.gallery import Gallery, check_folder, open_folder, open_index
from eval.evaluation.ranking import COMPOSED, Ranked, Stopwatch, evaluate
from eval.evaluation.scoring import absent_counts, depth_notes, figures, judged, measures_of
from eval.measures import Measure, Values, depth_of, mean, score
from eval.runs.writing import RunWriter, new_name, package_versions
from eval.sets.catalogue import NATIVE_NAME, load_set, option_settings
from eval.sets.labelled import LabelledSet, absent_from, check_present, located

OnProgress = Callable[[str, int, int], None]
"""Called with the stage ("gallery" or "queries"), the number done and the number of all."""


@dataclass(frozen=True)
class Request:
    """What to evaluate.

    Attributes:
        labelled_set: folder of the labelled set's annotation files.
        gallery: folder of images; either this or `index`.
        index: display name of a person's index.
        encoder: name of the encoder; None takes the index's own, or the one of the settings.
        split: which judgements; None takes the usual one.
        measures: what is measured beside the set's own protocol.
        ablations: whether to run image, text and their sum beside the composed query.
        keep_reference: whether the reference image stays in the ranking; None takes the set's
            own protocol.
        allow_missing: whether images that the gallery lacks count as never found.
        out: folder of the run; None makes a new one among the runs.
        set_name: what to call the labelled set; None takes its own name, or that of its folder.
        format: of the annotation files, one of `eval.sets.formats.format_names`.
        reading: options of that format that are on, by name.
        weights, tokenizer: where the encoder's files are; None where they were, or are found.
        precision: the encoder's arithmetic; "auto" is the index's own.
    """

    labelled_set: Path
    gallery: Path | None = None
    index: str | None = None
    encoder: str | None = None
    split: str | None = None
    measures: Sequence[Measure] = ()
    ablations: bool = False
    keep_reference: bool | None = None
    allow_missing: bool = False
    out: Path | None = None
    set_name: str | None = None
    format: str = NATIVE_NAME
    reading: Mapping[str, bool] | None = None
    weights: str | None = None
    tokenizer: str | None = None
    precision: str = "auto"


def run(
    request: Request, settings: Settings, on_progress: OnProgress | None = None
) -> dict[str, Any]:
    """Evaluate, and leave the run on disk.

    Returns:
        The run's document: `set`, `encoder`, `queries`, `metrics`, `groups`, with ablations
        `modes`, then `absent`, `failed`, `seconds` and `run`, the folder. `run.json` holds the
        same and what the figures were made with.

    Raises:
        UsageError: a folder, index, encoder or labelled set that cannot be used as asked.
        RecomposeError: the run failed.
    """
    refuse_change(settings.read_only)
    _check_request(request)
    started = datetime.now(UTC)
    labelled = load_set(request.format, request.labelled_set, request.split, request.reading)
    if request.set_name:
        labelled = replace(labelled, name=request.set_name)
    measures = measures_of(labelled, request.measures)
    depth = _depth(measures)
    keep = request.keep_reference
    keep = labelled.protocol.keep_reference if keep is None else keep
    modes = MODES if request.ablations else COMPOSED
    place = request.out or settings.runs_dir / new_name(labelled.name, started)
    watch = Stopwatch()
    with RunWriter(place, modes, candidates=labelled.has_candidates) as writer:
        gallery, labelled = _open_gallery(request, labelled, settings, watch, on_progress)
        absent = absent_from(
            labelled, gallery.paths.__contains__, gallery.has_reference, keep_reference=keep
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
                on_progress=_of_queries(on_progress),
            )
        with watch.measure("measures"):
            measured = partial(_values, labelled, measures, depth)
            values: dict[str, dict[str, Values]] = {}
            for mode in modes:
                values[mode] = measured(found[mode], keep)
                writer.add_values(mode, _beyond_ranks(measures, values[mode]))
        document = {
            "set": labelled.name,
            "encoder": gallery.encoder.spec.name,
            **figures(labelled, values),
            "reference": {
                "kept": keep,
                "with": mean(measured(found["composed"], True)),
                "without": mean(measured(found["composed"], False)),
            },
            "absent": absent_counts(absent),
            "failed": [asdict(failure) for failure in gallery.failed],
            "notes": [*labelled.notes, *depth_notes(measures, len(gallery.paths))],
            "seconds": watch.seconds(),
            "run": str(writer.folder),
        }
        writer.finish(document | _provenance(request, labelled, gallery, started, keep, depth))
    return document


def _values(
    labelled: LabelledSet,
    measures: Sequence[Measure],
    depth: int,
    found: Ranked,
    keep_reference: bool,
) -> dict[str, Values]:
    """Each measure's value of each query; a ranking counts to the depth that is written."""
    paths = {
        query.id: [
            path
            for path in found.paths.get(query.id, ())
            if keep_reference or path != query.reference
        ][:depth]
        for query in labelled.queries
    }
    among = found.among if labelled.has_candidates else None
    return score(judged(labelled, paths, among, keep_reference=keep_reference), measures)


def _beyond_ranks(
    measures: Sequence[Measure], values: Mapping[str, Values]
) -> dict[str, Sequence[float]]:
    """The measures that the rank of the first target does not give."""
    return {str(each): values[str(each)].tolist() for each in measures if not each.by_rank}


def _depth(measures: Sequence[Measure]) -> int:
    """Length of the rankings; one more is searched, so that the reference can be taken out."""
    from cir.store.collection import MAX_LIMIT  # late, as all that reads Milvus

    depth = depth_of(measures)
    if depth >= MAX_LIMIT:
        raise UsageError(f"A run ranks at most {MAX_LIMIT - 1} images a query: choose a smaller k.")
    return depth


def _check_request(request: Request) -> None:
    if (request.gallery is None) == (request.index is None):
        raise UsageError("A labelled set is searched in one place.", BenchWayOut.NAME_A_GALLERY)
    if request.gallery is not None:
        check_folder(request.gallery)


def _open_gallery(
    request: Request,
    labelled: LabelledSet,
    settings: Settings,
    watch: Stopwatch,
    on_progress: OnProgress | None,
) -> tuple[Gallery, LabelledSet]:
    """What is searched, and the set with its images named by their paths there."""
    if request.gallery is None:
        load = partial(
            encoder_of_index,
            weights=request.weights,
            tokenizer=request.tokenizer,
            device=settings.device,
            precision=request.precision,
        )
        store = index_store(settings)
        with watch.measure("gallery"):
            gallery = open_index(store, request.index or "", request.encoder, load)
        labelled = located(labelled, gallery.paths)
        _check_split(labelled, gallery)
        return gallery, labelled
    store = gallery_store(settings)
    with watch.measure("encoder"):
        encoder = shared_encoder(
            request.encoder or settings.encoder,
            request.weights,
            request.tokenizer,
            settings.device,
            request.precision,
        )
    with watch.measure("gallery"):
        only = None
        if labelled.protocol.image_id is not None:
            paths = {found.path for found in walk_images(request.gallery)}
            labelled = located(labelled, paths)
            only = None if labelled.gallery is None else paths & set(labelled.gallery)
        if only is not None and not only:
            raise UsageError(
                f"{request.gallery} holds no image of {labelled.name}: files are named by the "
                f"annotations' ids, for example {next(iter(labelled.gallery or ()))!r}."
            )
        progress = _of_ingest(on_progress)
        return open_folder(store, request.gallery, encoder, progress, only=only), labelled


def _check_split(labelled: LabelledSet, gallery: Gallery) -> None:
    """A set that is searched in its split is not searched in more."""
    beyond = () if labelled.gallery is None else gallery.paths - set(labelled.gallery)
    if beyond:
        raise UsageError(
            f"{labelled.name} is searched in the {len(labelled.gallery or ())} images of its "
            f"split; {gallery.label} holds {len(beyond)} others, too.",
            BenchWayOut.PICK_THE_SPLIT,
        )


def _of_ingest(on_progress: OnProgress | None) -> Callable[[Progress], None] | None:
    if on_progress is None:
        return None
    return lambda progress: on_progress("gallery", progress.done, progress.total)


def _of_queries(on_progress: OnProgress | None) -> Callable[[int, int], None] | None:
    if on_progress is None:
        return None
    return lambda done, total: on_progress("queries", done, total)


def _provenance(
    request: Request,
    labelled: LabelledSet,
    gallery: Gallery,
    started: datetime,
    keep: bool,
    depth: int,
) -> dict[str, Any]:
    """What the figures were made with. Neither address nor token of Milvus is written down."""
    info, encoder = gallery.index.info, gallery.encoder
    return {
        "date": started.isoformat(timespec="seconds"),
        "settings": {
            "set": str(request.labelled_set.resolve()),
            "format": request.format,
            "encoder": encoder.spec.name,
            "weights": encoder.weights,
            "tokenizer": encoder.tokenizer,
            **option_settings(request.reading),
            "split": labelled.split,
            "ablations": request.ablations,
            "keep_reference": keep,
            "allow_missing": request.allow_missing,
            "depth": depth,
        },
        "encoder_fingerprint": encoder.fingerprint,
        "precision": encoder.precision,
        "gallery": {
            "kind": info.kind,
            "name": info.name,
            "folder": str(gallery.folder),
            "images": len(gallery.paths),
            "index_type": info.index_type,
            "fingerprint": gallery.fingerprint,
        },
        "set_fingerprint": labelled.fingerprint,
        "versions": package_versions(),
    }
