"""The form of a new run: what is asked, where it is searched, and the start."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st

from cir.access import require_indexable
from cir.encoders.registry import choose, encoder_specs, readiness
from cir.errors import UsageError
from cir.jobs.background import JOBS
from cir.store import IndexInfo
from eval.evaluation.running import Request
from eval.measures import parse_measure
from eval.sets.catalogue import (
    HARD_SAMPLE,
    NATIVE_NAME,
    SAMPLE,
    SAMPLES,
    Place,
    images_of,
    registered_sets,
)
from eval.sets.formats import Option, format_named
from eval.sets.own import MAX_BYTES, export_set, kept_sets
from eval.sets.templates import template_names
from pages.parts.metrics.delete import SET_KEY, offer_delete
from pages.parts.metrics.downloads import download
from pages.parts.metrics.progress import KEY, is_running, watch
from pages.parts.metrics.run import MEASURES_HELP
from pages.parts.shell.server import megabytes
from pages.parts.shell.session import (
    INDEX_KEY,
    is_local,
    may_change,
    session_settings,
    settings,
    store,
    why_locked,
)

_SAMPLE, _FOLDER, _UPLOAD, _INDEX = SAMPLE, "folder", "upload", "index"
_OWN = "own"  # the folder that a registered set names
_REGISTERED = "registered/"  # no name of a kept set holds a slash
_SETS = {
    _SAMPLE: "Sample catalogue",
    HARD_SAMPLE: "Sample catalogue, hard queries",
    _FOLDER: "A folder on the server",
    _UPLOAD: "An upload",
}
_PLACES = {
    _SAMPLE: "The sample's pictures",
    _OWN: "Its images",
    _INDEX: "An index",
    _FOLDER: "A folder of images",
}


@dataclass(frozen=True)
class _Set:
    """The labelled set that was chosen: its kind, and what that kind needs."""

    kind: str
    name: str
    folder: Path = Path()
    upload: tuple[tuple[str, bytes], ...] = ()
    place: Place | None = None


def show_new_run() -> None:
    """The form, or why there is none."""
    if not may_change():
        st.info(
            why_locked(
                "make and delete runs",
                "you can look at the runs there are, and open one of your own",
            ),
            icon=":material/lock:",
        )
        return
    if is_running():
        st.markdown("One evaluation runs at a time: wait for this one, or cancel it.")
        return
    left, right = st.columns(2, gap="medium")
    with left:
        chosen = _pick_set()
    with right:
        place, index, gallery, encoder = _pick_place(chosen)
    ablations = st.checkbox(
        "Compare with the image alone, the text alone and their sum",
        value=True,
        help="Shows whether composing the two brings anything. Takes a little longer.",
        key="metrics_ablations",
    )
    options = _more_options(chosen)
    if st.button("Run", type="primary", icon=":material/play_arrow:", key="metrics_run"):
        _check_set(chosen)
        images = _folder(gallery, "the images") if place == _FOLDER else None
        if place == _OWN and chosen.place is not None:
            images = images_of(chosen.place)
        request = Request(
            gallery=images,
            index=index if place == _INDEX else None,
            encoder=encoder if place != _INDEX else None,
            measures=[*map(parse_measure, options.measures.replace(",", " ").split())],
            ablations=ablations,
            # Unticked leaves it to the set's own protocol.
            keep_reference=options.keep_reference or None,
            allow_missing=options.allow_missing,
        )
        _start(request, chosen, options)


def run_sample() -> None:
    """Start a run of the sample over its own pictures."""
    _start(Request(ablations=True), _Set(_SAMPLE, _SETS[_SAMPLE]))


def _start(
    request: Request,
    chosen: _Set,
    options: "_Options | None" = None,
) -> None:
    from eval.evaluation.background import Plan, evaluate_in_job

    place = chosen.place or Place(chosen.name, NATIVE_NAME, chosen.folder)
    sample = chosen.kind if chosen.kind in SAMPLES else None
    plan = Plan(request, place, sample=sample, upload=chosen.upload)
    if options is not None:
        split, template = options.split.strip() or None, options.template.strip() or None
        plan = replace(plan, split=split, reading=options.reading, template=template)
    now = session_settings()
    watch(
        JOBS.start(KEY, f"Evaluating: {chosen.name}", lambda job: evaluate_in_job(job, plan, now))
    )
    st.rerun()


def _pick_set() -> _Set:
    kept = kept_sets(settings().data_dir)
    registered = {
        f"{_REGISTERED}{name}": place
        for name, place in registered_sets(settings().data_dir).items()
    }
    labels = {name: f"{name} (kept here)" for name in kept} | {
        option: f"{place.name} (registered)" for option, place in registered.items()
    }
    labels |= _SETS
    kind = st.selectbox(
        "Labelled set",
        list(dict.fromkeys([*_SETS, *labels])),
        format_func=labels.__getitem__,
        help="Queries, each a reference image and an instruction, with the images that are right "
        "answers.",
        key=SET_KEY,
    )
    if kind in registered:
        place = registered[kind]
        return _Set(kind, place.name, place.root, place=place)
    if kind in kept and kind not in _SETS:
        with st.container(horizontal=True, gap="small"):
            download(
                "Download this set",
                lambda: export_set(kind, settings().data_dir),
                f"{kind}.zip",
                "application/zip",
            )
            offer_delete("set", kind, "Delete this set …")
        return _Set(_FOLDER, kind, kept[kind])
    if kind == _FOLDER:
        typed = st.text_input(
            "Folder of the labelled set",
            help="A folder on the machine of this Recompose that holds queries.jsonl and qrels/.",
            key="metrics_set_folder",
        )
        return _Set(kind, Path(typed).name, Path(typed.strip()))
    if kind == _UPLOAD:
        files = st.file_uploader(
            "Files of the labelled set",
            type=["zip", "jsonl", "tsv"],
            accept_multiple_files=True,
            max_upload_size=megabytes(MAX_BYTES),
            help="A zip that holds queries.jsonl and qrels/test.tsv, or these two files.",
            key="metrics_set_upload",
        )
        return _Set(
            kind,
            files[0].name if files else "upload",
            upload=tuple((file.name, file.getvalue()) for file in files),
        )
    return _Set(kind, _SETS[kind])


def _pick_place(chosen: _Set) -> tuple[str, str | None, str, str | None]:
    """Where to search: the kind of place, an index, a folder as typed, an encoder."""
    indexes = [info for info in store().list() if info.kind == "index"]
    places = [place for place in _PLACES if _is_offered(place, chosen, indexes)]
    place = st.radio("Search in", places, format_func=_PLACES.__getitem__, horizontal=True)
    if place == _INDEX:
        names = [info.name for info in indexes]
        current = st.session_state.get(INDEX_KEY)
        at = names.index(current) if current in names else 0
        return place, st.selectbox("Index to search", names, index=at), "", None
    folder = ""
    if place == _FOLDER:
        folder = st.text_input(
            "Folder of the images",
            help="A folder on the machine of this Recompose; the labelled set names images in it.",
            key="metrics_gallery",
        )
    ready = [name for name in encoder_specs() if readiness(choose(settings(), name)) == "ready"]
    at = ready.index(settings().encoder) if settings().encoder in ready else 0
    help_text = "Those that are ready here; an index can be built with others, which fetches them."
    encoder = st.selectbox("Encoder", ready, index=at, help=help_text)
    return place or _FOLDER, None, folder, encoder


def _is_offered(place: str, chosen: _Set, indexes: list[IndexInfo]) -> bool:
    if place == _SAMPLE:
        return chosen.kind in SAMPLES
    if place == _OWN:
        return chosen.place is not None and chosen.place.images is not None
    return place != _INDEX or bool(indexes)


@dataclass(frozen=True)
class _Options:
    """What is seldom changed, as it was filled in."""

    split: str
    template: str
    measures: str
    keep_reference: bool
    allow_missing: bool
    reading: Mapping[str, bool]


def _more_options(chosen: _Set) -> _Options:
    with st.popover("More options"):
        return _Options(
            split=st.text_input(
                "Split",
                help="Name of the file in qrels/ without .tsv. Left empty: test, or the only one.",
                key="metrics_split",
            ),
            template=st.text_input(
                "Template of the instructions",
                placeholder="{caption}",
                help="Published figures hold for the words in which an encoder was asked: "
                f"{', '.join(template_names())} as far as the set has them, or a text with "
                "{caption} in it. Left empty: as they stand.",
                key="metrics_template",
            ),
            measures=st.text_input(
                "Further measures",
                placeholder="recall@20, map@100",
                help=f"Measured beside those that the set is known by:\n{MEASURES_HELP}",
                key="metrics_measures",
            ),
            keep_reference=st.checkbox(
                "Leave the reference image in the ranking",
                help="It is removed otherwise, since it would often be the first of all; FashionIQ "
                "and CIRCO keep it.",
                key="metrics_keep_reference",
            ),
            allow_missing=st.checkbox(
                "Count absent images as never found",
                help="Otherwise a set that names images which are not there is refused.",
                key="metrics_allow_missing",
            ),
            reading={option.name: _switch(option) for option in _format_options(chosen)},
        )


def _format_options(chosen: _Set) -> Sequence[Option]:
    return format_named(chosen.place.format).options if chosen.place else ()


def _switch(option: Option) -> bool:
    label = option.help[0].upper() + option.help[1:]
    return st.checkbox(label, key=f"metrics_option_{option.name}")


def _check_set(chosen: _Set) -> None:
    if chosen.kind == _FOLDER:
        _folder(str(chosen.folder), "the labelled set")
    if chosen.kind == _UPLOAD and not chosen.upload:
        raise UsageError("Upload the labelled set first: queries.jsonl and qrels/test.tsv.")


def _folder(typed: str, what: str) -> Path:
    """The folder that somebody typed, if it may be read from the browser."""
    if typed.strip() in {"", "."}:
        raise UsageError(f"Name the folder of {what}.")
    return require_indexable(Path(typed.strip()), session_settings(), local=is_local())
