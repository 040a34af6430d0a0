"""Seeing what other tabs have started."""

from collections.abc import Callable, Hashable

import streamlit as st

IDLE_SECONDS = 5.0  # a look takes some 40 ms of a core, as measured with five tabs


def rerun_on_change(state: Callable[[], Hashable]) -> None:
    """Run the page again when the state becomes another one.

    It is read every few seconds as long as the page is open, so it must cost nothing: what memory
    holds, never what Milvus or a disk does.
    """
    _compare(state, state())


@st.fragment(run_every=IDLE_SECONDS)
def _compare(state: Callable[[], Hashable], then: Hashable) -> None:
    if state() != then:
        st.rerun()
