"""Search: a reference image, an instruction, and the images nearest to the two."""

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cir.encoders.protocol import precision_note
from cir.rerank.fusing import Outcome
from cir.search import is_cut, search
from cir.store import Hit, MilvusIndex
from pages.parts.search import asked as state
from pages.parts.search.asked import Asked
from pages.parts.search.bar import STYLE, show_bar, show_chips, show_history
from pages.parts.search.examples import offer_examples
from pages.parts.search.menu import offer_menu
from pages.parts.search.refine import show_refine
from pages.parts.search.results import show_results, show_some
from pages.parts.search.welcome import welcome
from pages.parts.shell.move import answers_to
from pages.parts.shell.navigation import started_by_app
from pages.parts.shell.session import chosen_index, encoder_of, people_errors, plain, unknown_index

BROWSED = 12


def show() -> None:
    """The page."""
    index = chosen_index()
    if index is None:
        welcome()
        return
    if not index.loaded:
        with st.spinner("Loading the index"):
            index.load()
    if index.info.state != "ready":
        st.warning(
            "This index is incomplete: images are still being added, or adding them stopped.",
            icon=":material/hourglass_top:",
        )
    if index.is_behind():
        st.warning(
            "Searches of this index miss some of the nearest images until it is rebuilt, which "
            "takes seconds: see Indexes.",
            icon=":material/build:",
        )
    unknown = unknown_index()
    if unknown is not None:
        st.warning(
            f"There is no index “{plain(unknown)}” here; this is {plain(index.info.name)}.",
            icon=":material/search_off:",
        )
    st.html(STYLE)
    state.restore()
    with st.container(gap="xsmall"):
        with st.container(gap="xsmall"):  # what it says now and then moves nothing below
            show_bar()
        with st.container(key="asked", horizontal=True, vertical_alignment="center"):
            # First: chips that come and go would move what is open.
            show_refine(index)
            menu = st.container(width="content")
            with st.container(width="content", horizontal=True, gap="xsmall"):
                show_history()
            with people_errors():
                show_chips(index)
        below = st.container()
    asked = state.read(index)
    with below:
        offer_examples(index, asked)
    if asked.is_empty:
        _browse(index, asked)
    else:
        _answer(index, asked, menu)


def _browse(index: MilvusIndex, asked: Asked) -> None:
    """Before anything is asked: some images to begin with."""
    records = index.some(BROWSED)
    if not records:
        st.info("This index holds no images yet.")
        return
    st.markdown(
        "Paste a picture, or press **Search with this** under one of these, then say what should "
        "be different."
    )
    show_some(index, asked, records)


def _answer(index: MilvusIndex, asked: Asked, menu: DeltaGenerator) -> None:
    encoder = encoder_of(index.info)
    if not answers_to(index.info, encoder):
        return
    query = asked.query
    outcomes: list[Outcome] = []
    hits = search(index, encoder, query, asked.options, on_rerank=outcomes.append)
    with menu:
        offer_menu(index, encoder, asked, hits)
    if any(each.is_thumbnail for each in asked.references):
        st.caption("The original is not at hand: its small preview serves as the reference.")
    if is_cut(encoder, query):
        st.warning("The instruction is too long; its end was not read.")
    note = precision_note(encoder, index.info)
    if note:
        st.info(plain(note))
    _say_reranked(outcomes, hits)
    show_results(index, encoder, asked, hits)


def _say_reranked(outcomes: Sequence[Outcome], hits: Sequence[Hit]) -> None:
    """What a second stage did to these results, or that it failed."""
    for outcome in outcomes:
        if outcome.failure:
            st.warning(plain(" ".join(outcome.notes())), icon=":material/swap_vert:")
            continue
        places = enumerate(hits, start=1)
        count = sum(bool(hit.reranked and hit.reranked.rank != rank) for rank, hit in places)
        said = f"The second stage {outcome.name} has moved {count} of these {len(hits)} results."
        st.caption(plain(" ".join([said, *outcome.notes()])))


with people_errors():
    if started_by_app():
        show()
