"""Changing and removing the queries of a labelled set of one's own, beside where they are added."""

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from cir.settings import Settings
from eval.sets.formats.native import load_native
from eval.sets.labelled import LabelledQuery
from eval.sets.own import change_query, remove_query
from pages.parts.shell.session import plain

_DONE = "edit_set_done"


def edit_queries(kept: Mapping[str, Path], now: Settings) -> None:
    """Pick a query of a kept set, and change its words and judgements or take it out."""
    if not kept:
        st.caption("There is no labelled set yet.")
        return
    name = st.selectbox("Set", list(kept), key="edit_set")
    queries = {query.id: query for query in load_native(kept[name]).queries}
    query_id = st.selectbox(
        "Query",
        list(queries),
        format_func=lambda each: f"{queries[each].instruction} ({each})",
        key=f"edit_query {name}",
    )
    query = queries[query_id]
    key = f"{name} {query_id}"
    instruction = st.text_input("Instruction", query.instruction, key=f"edit_text {key}")
    group = st.text_input("Group", query.group, max_chars=200, key=f"edit_group {key}")
    judged = _judgements(query, key)
    with st.container(horizontal=True):
        save = st.button("Save", icon=":material/save:", key=f"edit_save {key}")
        remove = st.button("Remove the query", icon=":material/delete:", key=f"edit_remove {key}")
    if said := st.session_state.pop(_DONE, None):
        st.success(plain(said), icon=":material/check_circle:")
    if save:
        change_query(name, query_id, now, instruction=instruction, group=group, judged=judged)
        _done(f"Changed {query_id} of {name}.")
    if remove:
        remove_query(name, query_id, now)
        _done(f"Removed {query_id} of {name}.")


def _judgements(query: LabelledQuery, key: str) -> dict[str, bool]:
    """The judgements that somebody turns over."""
    images = [*query.targets, *query.negatives]
    targets = st.multiselect(
        "Targets",
        images,
        list(query.targets),
        help="Of the images that were judged; the others stay judged as no right answers.",
        key=f"edit_targets {key}",
    )
    return {
        path: path in targets for path in images if (path in targets) != (path in query.targets)
    }


def _done(said: str) -> None:
    st.session_state[_DONE] = said
    st.rerun()
