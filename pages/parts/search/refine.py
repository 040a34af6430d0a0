"""The hands behind one button: how a query is steered, what is filtered, what results are shown.

Each control shows what the address holds, and writes what it is set to there.
"""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from cir.encoders.texts import MAX_CHARACTERS
from cir.errors import RecomposeError, UsageError
from cir.search.options import COMPOSITIONS, TURNS, SearchOptions, split_weight
from cir.search.titles import title_column
from cir.store import MilvusIndex
from cir.store.fulltext import AVAILABLE
from pages.parts.search import asked as state
from pages.parts.search.crop import offer_crop
from pages.parts.search.facets import offer_facets
from pages.parts.shell.session import people_errors, plain

LIMITS = (12, 24, 48, 96, 192)
QUERY, PICTURE, FILTERS, RESULTS = "Query", "Picture", "Filters", "Results"


def show_refine(index: MilvusIndex) -> None:
    """The button, and behind it a control for each option."""
    opened = st.popover("Refine", icon=":material/tune:", key="refine", on_change="rerun")
    if not opened.open:
        return
    try:
        now = state.options(state.state())
    except RecomposeError:  # the page says what is wrong with the address
        now = SearchOptions(limit=state.LIMIT)
    pictured = state.REFERENCE in state.state()
    titles = [QUERY, *([PICTURE] if pictured else []), FILTERS, RESULTS]
    with opened, st.container(key="refined"):
        for title, tab in zip(
            titles, st.tabs(titles, key="refine_tabs", on_change="rerun"), strict=True
        ):
            if tab.open:  # what is behind the others would only take time
                with tab, people_errors():
                    _SHOW[title](index, now)


def _query(index: MilvusIndex, now: SearchOptions) -> None:
    if state.REFERENCE in state.state() and state.INSTRUCTION in state.state():
        _balance(now)
        _composition(now)
    _less()
    _words(index, now)
    _second_stage(index, now)


def _results(index: MilvusIndex, now: SearchOptions) -> None:
    offers = sorted({*LIMITS, now.limit})
    _control(
        st.segmented_control, "Number of results", "limit", now.limit, options=offers, required=True
    )
    columns = [*dict.fromkeys(["", now.group_by, *sorted(index.info.columns)])]
    if index.info.columns:
        _control(
            st.selectbox,
            "Group by",
            "group_by",
            now.group_by,
            options=columns,
            format_func=lambda name: name or "nothing",
            help="Of the images with the same value only the best is shown.",
        )
    _control(st.toggle, "Fold near-duplicates", "fold", now.fold)
    _control(
        st.number_input,
        "Least score",
        "threshold",
        now.threshold,
        min_value=-1.0,
        max_value=1.0,
        step=0.05,
        placeholder="any",
        help="A cosine similarity. A picture alone can reach 0.98, a composed query 0.4.",
    )


def _control(widget: Callable[..., Any], label: str, option: str, value: Any, **facts: Any) -> None:
    """A widget of an option."""
    key = f"refine {option}"
    st.session_state[key] = value
    widget(label, key=key, on_change=_changed, args=(key, option, label), **facts)


def _changed(key: str, option: str, label: str) -> None:
    state.set_option(option, st.session_state[key], label.lower())


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


def _composition(now: SearchOptions) -> None:
    _control(
        st.segmented_control,
        "Composed by",
        "composition",
        now.composition,
        options=[*dict.fromkeys([*COMPOSITIONS, now.composition])],
        format_func=lambda name: name or "the encoder",
        required=True,
        help="How picture and sentence are put together. Sum and product are for encoders that "
        "were not trained to compose; a product wants something of both.",
    )


def _weight(text: str, number: int) -> None:
    key = f"refine weight {text}"
    _, weight = state.split(text)
    st.session_state[key] = min(max(weight, 0.1), 3.0)
    st.slider(
        f"Weight of picture {number}",
        0.1,
        3.0,
        step=0.1,
        key=key,
        on_change=lambda: state.weigh(state.REFERENCE, text, st.session_state[key]),
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
    try:
        split_weight(text)
    except UsageError as error:
        st.toast(str(error))
        return
    if text:
        before = state.state().get("less", ())
        state.set_option("less", [*before, text], f"less “{text}”")
        st.session_state["refine less"] = ""


def _words(index: MilvusIndex, now: SearchOptions) -> None:
    there = index.words_state
    _control(
        st.toggle,
        "Also match the words",
        "words",
        now.words,
        disabled=(there != AVAILABLE or bool(now.rerank)) and not now.words,
        help="Images whose metadata hold the words of the sentence count, too.",
    )
    if there != AVAILABLE:
        st.caption(plain(there))


def _second_stage(index: MilvusIndex, now: SearchOptions) -> None:
    """What orders the first results anew, by which columns, and how much that counts."""
    _control(
        st.selectbox,
        "Second stage",
        "rerank",
        now.rerank,
        options=["", *state.rerankers()],
        format_func=lambda name: name or "none",
        disabled=now.words,
        help="Orders the first results anew by what their metadata say, or by a model that reads "
        "them more closely. It adds to the score; the scores that are shown stay the same.",
    )
    if not now.rerank:
        return
    columns = sorted(index.info.columns)
    st.session_state[_READ] = [name for name in _columns(now) if name in columns]
    st.multiselect(
        "Columns that it reads",
        columns,
        key=_READ,
        placeholder=title_column(index) or "none",
        on_change=_read,
    )
    _control(
        st.slider,
        "Weight of the second stage",
        "rerank_weight",
        now.rerank_weight,
        min_value=0.0,
        max_value=1.0,
        step=0.05,
        help="What it adds to a score at most. 0: the order stays as it is.",
    )


_READ = "refine rerank_columns"


def _columns(now: SearchOptions) -> list[str]:
    return [name.strip() for name in now.rerank_columns.split(",")]


def _read() -> None:
    state.set_option("rerank_columns", ",".join(st.session_state[_READ]), "other columns")


def _picture(index: MilvusIndex, now: SearchOptions) -> None:
    """What of the references counts, and how much."""
    texts = state.state().get(state.REFERENCE, ())
    if len(texts) > 1:
        for number, text in enumerate(texts, start=1):
            _weight(text, number)
    st.session_state["refine turn"] = now.turn
    st.segmented_control(
        "Turn",
        TURNS,
        format_func=lambda turn: f"{turn}°",
        required=True,
        key="refine turn",
        on_change=_turn,
    )
    offer_crop(state.read_references(index)[0], now)


def _turn() -> None:
    # A part of the picture as it was before would be another part of it.
    state.set_options("turned", {"turn": st.session_state["refine turn"], "crop": ""})


def _filters(index: MilvusIndex, _now: SearchOptions) -> None:
    offer_facets(index)


_SHOW: Mapping[str, Callable[[MilvusIndex, SearchOptions], None]] = {
    QUERY: _query,
    PICTURE: _picture,
    FILTERS: _filters,
    RESULTS: _results,
}
