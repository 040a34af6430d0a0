"""One evaluation from folder names to a run on disk."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from cir.access import refuse_change
from cir.encoders.shared import encoder_of_index, shared_encoder
from cir.errors import UsageError
from cir.progress import Progress
from cir.search import MODES
from cir.settings import Settings
from cir.stores import gallery_store, index_store
from eval.formats.native import load_native
from eval.gallery import Gallery, check_folder, open_folder, open_index
from eval.labelled_set import LabelledSet, absent_from, check_present
from eval.ranking import COMPOSED, DEPTH, evaluate
from eval.runs import RunWriter, new_name, package_versions
from eval.summary import absent_counts, figures

OnProgress = Callable[[str, int, int], None]
"""Called with the stage ("gallery" or "queries"), the number done and the number of all."""


@dataclass(frozen=True)
class Request:
    """What to evaluate.

    Attributes:
        labelled_set: folder of a labelled set in the native format.
        gallery: folder of images; either this or `index`.
        index: display name of a person's index.
        encoder: name of the encoder; None takes the index's own, or the one of the settings.
        split: which judgements; None takes the usual one.
        ablations: whether to run image, text and their sum beside the composed query.
        keep_reference: whether the reference image stays in the ranking.
        allow_missing: whether images that the gallery lacks count as never found.
        out: folder of the run; None makes a new one among the runs.
        set_name: what to call the labelled set; None takes the name of its folder.
        weights, tokenizer: where the encoder's files are; None where they were, or are found.
        precision: the encoder's arithmetic; "auto" is the index's own.
    """

    labelled_set: Path
    gallery: Path | None = None
    index: str | None = None
    encoder: str | None = None
    split: str | None = None
    ablations: bool = False
    keep_reference: bool = False
    allow_missing: bool = False
    out: Path | None = None
    set_name: str | None = None
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
    labelled = load_native(request.labelled_set, request.split)
    if request.set_name:
        labelled = replace(labelled, name=request.set_name)
    modes = MODES if request.ablations else COMPOSED
    place = request.out or settings.runs_dir / new_name(labelled.name, started)
    watch = Stopwatch()
    with RunWriter(place, modes) as writer:
        gallery = _open_gallery(request, settings, watch, on_progress)
        absent = absent_from(
            labelled,
            gallery.paths.__contains__,
            gallery.has_reference,
            keep_reference=request.keep_reference,
        )
        if not request.allow_missing:
            check_present(absent, gallery.label)
        with watch.measure("queries"):
            scores = evaluate(
                labelled,
                gallery,
                writer,
                modes=modes,
                keep_reference=request.keep_reference,
                on_progress=_of_queries(on_progress),
            )
        document = {
            "set": labelled.name,
            "encoder": gallery.encoder.spec.name,
            **figures(labelled, scores),
            "absent": absent_counts(absent),
            "failed": [asdict(failure) for failure in gallery.failed],
            "seconds": watch.seconds(),
            "run": str(writer.folder),
        }
        writer.finish(document | _provenance(request, labelled, gallery, started))
    return document


class Stopwatch:
    """Wall-clock seconds of named stages, and of the whole since it was made."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._stages: dict[str, float] = {}

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Time what happens in a `with` statement."""
        start = time.perf_counter()
        yield
        self._stages[stage] = time.perf_counter() - start

    def seconds(self) -> dict[str, float]:
        """Seconds of each stage in order, then `total`, to the millisecond."""
        stages = self._stages | {"total": time.perf_counter() - self._start}
        return {stage: round(value, 3) for stage, value in stages.items()}


def _check_request(request: Request) -> None:
    if (request.gallery is None) == (request.index is None):
        raise UsageError("Name what to search: either --gallery FOLDER or --index NAME.")
    if request.gallery is not None:
        check_folder(request.gallery)


def _open_gallery(
    request: Request, settings: Settings, watch: Stopwatch, on_progress: OnProgress | None
) -> Gallery:
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
            return open_index(store, request.index or "", request.encoder, load)
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
        return open_folder(store, request.gallery, encoder, _of_ingest(on_progress))


def _of_ingest(on_progress: OnProgress | None) -> Callable[[Progress], None] | None:
    if on_progress is None:
        return None
    return lambda progress: on_progress("gallery", progress.done, progress.total)


def _of_queries(on_progress: OnProgress | None) -> Callable[[int, int], None] | None:
    if on_progress is None:
        return None
    return lambda done, total: on_progress("queries", done, total)


def _provenance(
    request: Request, labelled: LabelledSet, gallery: Gallery, started: datetime
) -> dict[str, Any]:
    """What the figures were made with. Neither address nor token of Milvus is written down."""
    info, encoder = gallery.index.info, gallery.encoder
    return {
        "date": started.isoformat(timespec="seconds"),
        "settings": {
            "set": str(request.labelled_set.resolve()),
            "split": labelled.split,
            "ablations": request.ablations,
            "keep_reference": request.keep_reference,
            "allow_missing": request.allow_missing,
            "depth": DEPTH,
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
