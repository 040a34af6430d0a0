"""Deleting runs and uploaded labelled sets on the metrics page."""

from dataclasses import dataclass
from typing import Literal

import streamlit as st

from eval.runs.deleting import delete_run, delete_set
from pages.parts.shell.navigation import DANGER
from pages.parts.shell.session import may_change, people_errors, plain, session_settings

SET_KEY = "metrics_set"
_DELETING = "metrics_deleting"


@dataclass(frozen=True)
class _Doomed:
    kind: Literal["run", "set"]
    name: str


def offer_delete(kind: Literal["run", "set"], name: str, label: str) -> None:
    """A button that asks whether to delete, where this session may."""
    if may_change() and st.button(
        label, icon=":material/delete:", key=f"{DANGER} delete {kind} {name}"
    ):
        st.session_state[_DELETING] = _Doomed(kind, name)


def confirm_delete() -> None:
    """The question, once a button has been pressed; it outlives reruns that jobs cause."""
    doomed = st.session_state.get(_DELETING)
    if doomed is not None:
        _confirm(doomed)


def _keep() -> None:
    st.session_state.pop(_DELETING, None)


@st.dialog("Delete", on_dismiss=_keep)
def _confirm(doomed: _Doomed) -> None:
    if doomed.kind == "run":
        what = "The run **{}** will be gone, with its rankings and figures."
    else:
        what = "The labelled set **{}** will be gone. Runs that asked it stay."
    st.markdown(what.format(plain(doomed.name)))
    with people_errors(), st.container(horizontal=True):
        if st.button(
            "Delete for good", type="primary", icon=":material/delete:", key=f"{DANGER} delete"
        ):
            _delete(doomed)
        if st.button("Keep"):
            _keep()
            st.rerun()


def _delete(doomed: _Doomed) -> None:
    if doomed.kind == "run":
        delete_run(doomed.name, session_settings())
    else:
        delete_set(doomed.name, session_settings())
        st.session_state.pop(SET_KEY, None)  # an option that is gone cannot stay chosen
    _keep()
    st.toast(f"Deleted {plain(doomed.name)}", icon=":material/delete:")
    st.rerun()
