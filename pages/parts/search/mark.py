"""Making a labelled set on the search page: the targets of a query are marked in its results."""

import hashlib
from collections.abc import Sequence
from functools import partial

import streamlit as st

from cir.store import Hit, MilvusIndex
from eval.sets.own import MAX_BYTES, Added, NewQuery, add_query, export_set, import_set, kept_sets
from pages.parts.search.asked import Asked
from pages.parts.search.edit_set import edit_queries
from pages.parts.shell.navigation import METRICS_FILE
from pages.parts.shell.server import megabytes
from pages.parts.shell.session import may_change, people_errors, plain, session_settings

_FIRST_NAME = "my-set"
_MARKING = "mark_targets"
_ADDED = "mark_added"
_UPLOADS = "mark_uploads"


def offer_marking(*, disabled: bool) -> None:
    """The switch in the results' menu, for those who may write."""
    if may_change():
        st.toggle(
            "Mark targets",
            key=_MARKING,
            disabled=disabled,
            help="Tick the results that are right answers, and add the query to a labelled set; "
            "not side by side.",
        )


def marking_form(index: MilvusIndex, asked: Asked) -> str | None:
    """The form above the results; gives the query's key while its targets are being marked."""
    if not may_change() or not st.session_state.get(_MARKING):
        return None
    reference = asked.references[0].path if len(asked.references) == 1 else None
    if reference is None or not asked.instruction.strip():
        st.info(
            "A query of a labelled set has an image of the index as its reference, and an "
            "instruction: press “Search with this” under an image, and say what should change.",
            icon=":material/label:",
        )
        return None
    key = hashlib.sha256(
        "\0".join([index.info.name, reference, asked.instruction.strip()]).encode(errors="replace")
    ).hexdigest()[:12]
    targets = tuple(marked(index, key))
    others = tuple(marked(index, key, ticked=False))
    _form(NewQuery(index.info.name, reference, asked.instruction.strip(), targets), others)
    return key


def marked(index: MilvusIndex, key: str, *, ticked: bool = True) -> list[str]:
    """Paths of the results that are ticked for the query, or not, however far down they stand."""
    begin = _mark(key, "")
    found = [
        name.removeprefix(begin)
        for name, value in st.session_state.items()
        if isinstance(name, str) and name.startswith(begin) and value is ticked
    ]
    return [record.path for record in index.get(found)]


def mark(key: str, hit: Hit, rank: int) -> None:
    """The box under a result."""
    st.checkbox(f"Target: result {rank}", key=_mark(key, hit.id))


def _mark(key: str, id_: str) -> str:
    return f"target {key} {id_}"


def _form(query: NewQuery, others: tuple[str, ...]) -> None:
    """The form of a query; `others` are the results that were shown and are not ticked."""
    now = session_settings()
    sets = kept_sets(now.data_dir)
    kept = list(sets)
    with st.container(border=True):
        left, middle, right = st.columns([2, 2, 1], vertical_alignment="bottom", gap="small")
        with left:
            name = st.selectbox(
                "Labelled set",
                kept or [_FIRST_NAME],
                accept_new_options=True,
                help="Choose one, or type the name of a new one.",
                key="mark_set",
            )
        with middle:
            group = st.text_input(
                "Group",
                max_chars=200,
                help="May stay empty: a kind of change, such as colour.",
                key="mark_group",
            )
        with right:
            pressed = st.button("Add the query", type="primary", icon=":material/playlist_add:")
        count = len(query.targets)
        marked = "1 target marked." if count == 1 else f"{count} targets marked."
        st.caption(marked if count else "Tick the right answers below.")
        judge = st.toggle(
            "The other results that are shown are no right answers",
            value=True,
            help="They are kept with the score 0, so that a run tells how often such images come "
            "first, and how much of what it finds was looked at. Take the tick away where you "
            "have not looked at all of them.",
            key="mark_others",
        )
        if pressed:
            with people_errors():
                new = NewQuery(
                    query.index,
                    query.reference,
                    query.instruction,
                    query.targets,
                    group,
                    others if judge else (),
                )
                st.session_state[_ADDED] = (query, add_query(name or "", new, now))
                st.rerun()  # the list of sets has changed
        _tell(query)
        with st.container(horizontal=True):
            with st.popover("Change queries", icon=":material/edit:"), people_errors():
                edit_queries(sets, now)
            with st.popover("Import or export", icon=":material/folder_zip:"), people_errors():
                _import_export(kept)


def _tell(query: NewQuery) -> None:
    """What became of this query, when it has been added."""
    before, added = st.session_state.get(_ADDED, (None, None))
    if not isinstance(added, Added) or before != query:
        return
    if added.new_query:
        what = f"Added to {added.name}"
    elif added.new_targets or added.new_negatives:
        what = f"The query was in {added.name} already; new targets: {added.new_targets}"
    else:
        what = f"{added.name} holds this query and its targets already"
    out = f" Judged as no right answers: {added.new_negatives}." if added.new_negatives else ""
    said = f"{plain(what)}. Queries in it: {added.queries}.{out}"
    st.success(said, icon=":material/check_circle:")
    st.page_link(METRICS_FILE, label="Run it on the Metrics page", icon=":material/monitoring:")


def _import_export(kept: Sequence[str]) -> None:
    for name in kept:
        st.download_button(
            f"Download {plain(name)}",
            partial(export_set, name, session_settings().data_dir),
            file_name=f"{name}.zip",
            mime="application/zip",
            icon=":material/download:",
            on_click="ignore",
            key=f"export {name}",
        )
    count: int = st.session_state.get(_UPLOADS, 0)
    files = st.file_uploader(
        "Add a labelled set",
        type=["zip", "jsonl", "tsv"],
        accept_multiple_files=True,
        max_upload_size=megabytes(MAX_BYTES),
        help="A zip that holds queries.jsonl and qrels/test.tsv, or these two files.",
        key=f"mark_import_{count}",
    )
    if files and st.button("Keep this set"):
        import_set([(file.name, file.getvalue()) for file in files], session_settings())
        st.session_state[_UPLOADS] = count + 1
        st.rerun()
