"""What can be done to an index that is there, on the Indexes page."""

from collections.abc import Sequence
from typing import Literal

import streamlit as st

from cir.indexing.uploads import upload_folder
from cir.jobs.indexes import IndexJobs
from cir.search.titles import title_column
from cir.store import IndexInfo
from pages.parts.indexes.forms import show_add, show_update
from pages.parts.indexes.list import source_of, state_of
from pages.parts.indexes.move import show_move
from pages.parts.shell.navigation import DANGER
from pages.parts.shell.session import INDEX_KEY, people_errors, plain, store

DROPPING_KEY = "index to drop"
_TITLE_KEY = "column chosen for titles"


def show_manage(infos: Sequence[IndexInfo], jobs: IndexJobs) -> None:
    """The choice of an index, and what can be done to it."""
    st.header("Change an index")
    by_name = {info.name: info for info in infos}
    chosen = st.session_state.get(INDEX_KEY)
    at = list(by_name).index(chosen) if chosen in by_name else 0
    name = st.selectbox("Index to change", list(by_name), index=at, key="index to change")
    info = by_name[name]
    busy = jobs.is_running(info.name)
    uploaded = upload_folder(info.source, jobs.settings.data_dir) is not None
    with st.container(border=True):
        facts = f"{jobs.count(info):,} images, {state_of(info, jobs)}, from "
        st.markdown(facts + plain(source_of(info, jobs)))
        if not busy:
            _offer_rebuild(info, jobs)
        if uploaded:
            show_add(info, jobs, disabled=busy)
        elif info.source is not None:
            show_update(info, jobs, disabled=busy)
        if info.columns:
            _offer_title(info, disabled=busy)
        show_move(info, jobs, disabled=busy)
        if st.button("Drop …", icon=":material/delete:", disabled=busy, key=f"{DANGER} drop"):
            st.session_state[DROPPING_KEY] = info.name
    # In the session, not in the click: the dialog outlives a rerun that another job causes.
    dropping = by_name.get(st.session_state.get(DROPPING_KEY, ""))
    if dropping is not None:
        _confirm(dropping, jobs)


def _offer_title(info: IndexInfo, *, disabled: bool) -> None:
    index = store().open(info.name)
    key = f"title of {info.collection}"
    chosen = st.session_state.pop(_TITLE_KEY, None)
    if chosen is not None and chosen[0] == key:
        index.choose_title(chosen[1])
    found = "" if index.info.title_column else title_column(index)
    by_itself = f"Found by itself: {found}" if found else "Found by itself"
    st.session_state[key] = index.info.title_column  # it may have been chosen elsewhere
    st.selectbox(
        "Titles of results",
        list(dict.fromkeys(["", *info.columns, index.info.title_column])),
        format_func=lambda column: column or by_itself,
        key=key,
        on_change=_choose_title,
        args=(key,),
        disabled=disabled,
        help="The column of the metadata that stands over each result.",
    )


def _choose_title(key: str) -> None:
    st.session_state[_TITLE_KEY] = key, st.session_state[key]  # written where errors are shown


def _offer_rebuild(info: IndexInfo, jobs: IndexJobs) -> None:
    """Where it mends something."""
    missing, behind = jobs.words_missing(info), jobs.is_behind(info)
    if behind:
        st.warning(
            "Searches of this index miss some of the nearest images. Rebuilding it mends that "
            "within seconds; nothing is encoded again.",
            icon=":material/build:",
        )
    elif missing:
        st.caption(plain(missing))
    else:
        return
    kind: Literal["primary", "secondary"] = "primary" if behind else "secondary"
    if st.button("Rebuild", key="rebuild", type=kind, icon=":material/build:"):
        jobs.rebuild(info)
        st.rerun()


def _keep() -> None:
    st.session_state.pop(DROPPING_KEY, None)


@st.dialog("Drop an index", on_dismiss=_keep)
def _confirm(info: IndexInfo, jobs: IndexJobs) -> None:
    with people_errors():
        st.markdown(f"**{plain(info.name)}** and its embeddings will be gone. {_files(info, jobs)}")
        with st.form("confirm drop", border=False):
            typed = st.text_input("Type the name of the index")
            sure = st.form_submit_button(
                "Drop for good",
                type="primary",
                icon=":material/delete:",
                key=f"{DANGER} drop for good",
            )
        if sure and typed.strip() != info.name.strip():
            st.error(f"This is not the name. Type {plain(info.name)} to drop it.")
        elif sure:
            jobs.drop(info)
            _keep()
            st.rerun()


def _files(info: IndexInfo, jobs: IndexJobs) -> str:
    if upload_folder(info.source, jobs.settings.data_dir) is not None:
        return "The images that were uploaded for it are deleted from this server, too."
    return "The image files themselves stay where they are."
