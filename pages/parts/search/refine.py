"""The hands behind one button: how a query is steered, and what of its results is shown."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from cir.encoders.texts import MAX_CHARACTERS
from cir.errors import UsageError
from cir.search.options import SearchOptions
from cir.store import MilvusIndex
from pages.parts.search import asked as state

LIMITS = (12, 24, 48, 96, 192)


def show_refine(index: MilvusIndex) -> None:
    """The button, and behind it a control for each option."""
    opened = st.popover("Refine", icon=":material/tune:", key="refine", on_change="rerun")
    if not opened.open:
        return
    try:
        now = state.options(state.state())
    except UsageError:
        now = SearchOptions(limit=state.LIMIT)  # the page says what is wrong with the address
    with opened:
        _balance(now)
        _less()
        _number(now)


def _control(widget: Callable[..., Any], label: str, option: str, value: Any, **facts: Any) -> None:
    """A widget that shows what the address holds, and writes what it is set to there."""
    key = f"refine {option}"
    st.session_state[key] = value
    widget(label, key=key, on_change=_changed, args=(key, option), **facts)


def _changed(key: str, option: str) -> None:
    state.set_option(option, st.session_state[key])


def _balance(now: SearchOptions) -> None:
    _control(
        st.slider,
        "Balance",
        "balance",
        now.balance,
        min_value=0.0,
        max_value=1.0,
        step=0.05,
        help="0: the sentence alone. 0.5: as the encoder composes the two. 1: the picture alone.",
    )


def _less() -> None:
    st.text_input(
        "Less of",
        key="refine less",
        placeholder="stripes",
        max_chars=MAX_CHARACTERS,
        on_change=_steer_away,
        help="What the results should have less of. Each text becomes a chip.",
    )


def _steer_away() -> None:
    text = st.session_state["refine less"].strip()
    if text:
        before = state.state().get("less", ())
        state.set_option("less", [*before, text], f"less “{text}”")
        st.session_state["refine less"] = ""


def _number(now: SearchOptions) -> None:
    offers = sorted({*LIMITS, now.limit})
    _control(
        st.segmented_control, "Number of results", "limit", now.limit, options=offers, required=True
    )
