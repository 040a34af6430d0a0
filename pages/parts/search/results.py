"""What a search found: as many pictures as are wanted, and why there are none."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cir.encoders.protocol import Encoder
from cir.search import is_nothing_close, search, usual_score, usual_scores
from cir.store import Hit, ImageRecord, MilvusIndex
from cir.store.collection import MAX_LIMIT
from pages.parts.search import asked as state
from pages.parts.search.asked import Asked
from pages.parts.search.cards import STYLE, Found, draw_card
from pages.parts.search.larger import SCORES
from pages.parts.search.mark import marked, marking_form
from pages.parts.search.menu import Shown, Size, how_shown
from pages.parts.search.side_by_side import show_ways
from pages.parts.shell.session import people_errors, plain

BATCH = 48
"""Pictures that are drawn together; a press of "Load more" draws no other than the new ones."""
_WIDTHS: dict[Size, tuple[str, str]] = {
    "small": ("6.5rem", "9rem"),
    "medium": ("9.4rem", "15rem"),
    "large": ("15rem", "24rem"),
}
"""Least width of a card, and greatest height of its picture."""


def show_results(index: MilvusIndex, encoder: Encoder, asked: Asked, hits: Sequence[Hit]) -> None:
    """What was found, as it is to be shown."""
    shown = how_shown(index)
    marking = None if shown.ways else marking_form(index, asked)
    found = Found(index, encoder, asked, shown, marking, _marks(index, marking), state.link())
    above = st.container()
    with _grid(shown):
        if shown.ways:
            show_ways(found)
        elif hits:
            _batch(found, tuple(hits), 0)
            _more(found, tuple(hits), min(BATCH, len(hits)))
    if hits:
        _explain(found, hits, above)
    else:
        _nothing(index, asked)


def _explain(found: Found, hits: Sequence[Hit], above: DeltaGenerator) -> None:
    """What scores mean here, under the results; above them, that nothing is close where it is so.

    After the pictures: in an index that does not know yet what is usual, this takes seconds once.
    """
    assert found.encoder is not None
    asked = found.asked
    usual = usual_scores(found.index, found.encoder)
    if is_nothing_close(usual, asked.query, hits, asked.options):
        above.info(
            "Nothing here is close to this. These are the nearest that there are.",
            icon=":material/search_off:",
        )
    known = usual_score(usual, asked.query, asked.options)
    here = (
        f" In this index, the best result of such a query scores {known.middle:.2f} in the middle."
        if known
        else ""
    )
    st.caption(f"{SCORES}{here}")


def show_some(index: MilvusIndex, asked: Asked, records: Sequence[ImageRecord]) -> None:
    """Some images to begin with."""
    shown = how_shown(index)
    hits = tuple(Hit(each.id, each.path, 0.0, each.metadata) for each in records)
    with _grid(shown):
        _batch(Found(index, None, asked, shown, None, (), state.link()), hits, 0)


def _grid(shown: Shown) -> DeltaGenerator:
    width, tall = _WIDTHS[shown.size]
    st.html(STYLE % {"width": width, "tall": tall})
    return st.container(key="results")


def _marks(index: MilvusIndex, marking: str | None) -> tuple[str, ...]:
    return () if marking is None else tuple(marked(index, marking))


def _draw_anew_if_changed(found: Found) -> None:
    """Run the whole page where a hand in a fragment has changed more than the fragment shows."""
    marks = _marks(found.index, found.marking)
    if (marks, state.link()) != (found.marks, found.link):
        st.rerun()


def _nothing(index: MilvusIndex, asked: Asked) -> None:
    """Why there is nothing, and what can be taken away to see something."""
    options = asked.options
    if options.threshold is not None:
        st.info(f"No image scores {options.threshold:g} or more.", icon=":material/filter_alt:")
        st.button("Without this least score", on_click=state.remove, args=("threshold",))
    elif options.where:
        st.info("No image meets the filters.", icon=":material/filter_alt:")
        column = next(iter(index.info.columns))  # any: all its groups together are the images
        for condition in options.where:
            others = [each for each in options.where if each != condition]
            left = sum(index.group_sizes(column, others).values())
            if left:
                st.button(
                    plain(f"Without {condition}: {left:,} {'image' if left == 1 else 'images'}"),
                    key=f"without {condition}",
                    on_click=state.remove,
                    args=("where", condition),
                )
    else:
        st.info("This index has no other image.")


@st.fragment
def _batch(found: Found, hits: tuple[Hit, ...], start: int) -> None:
    """Pictures from `start` on; a fragment, so that a look at one of them draws no others anew."""
    _draw_anew_if_changed(found)
    with people_errors():
        batch = hits[start : start + BATCH]
        thumbnails = found.index.thumbnails([hit.id for hit in batch])
        for rank, hit in enumerate(batch, start=start + 1):
            draw_card(found, hits, hit, rank, thumbnails.get(hit.id))


@st.fragment
def _more(found: Found, hits: tuple[Hit, ...], shown: int) -> None:
    """The button under the last picture; once it is pressed, the next pictures in its place."""
    _draw_anew_if_changed(found)
    if shown >= len(hits) and not found.asked.options.limit <= len(hits) < MAX_LIMIT:
        return
    opened = f"opened after {shown} of {state.link()}"
    with people_errors():
        if not st.session_state.get(opened):
            with st.container(key=f"whole-row-{shown}", horizontal_alignment="center"):
                st.button("Load more", key=f"load {shown}", on_click=_open, args=(opened,))
            return
        longer = _longer(found, hits, shown)
        if len(longer) > shown:
            _batch(found, longer, shown)
            _more(found, longer, min(shown + BATCH, len(longer)))
        else:
            with st.container(key=f"whole-row-{shown}", horizontal_alignment="center"):
                st.caption("These are all.")


def _open(opened: str) -> None:
    st.session_state[opened] = True


def _longer(found: Found, hits: tuple[Hit, ...], shown: int) -> tuple[Hit, ...]:
    """The hits with those of the next batch, asked for where they are not there yet."""
    if len(hits) > shown or found.encoder is None:
        return hits
    options = replace(found.asked.options, limit=min(shown + BATCH, MAX_LIMIT))
    known = {hit.id for hit in hits}
    again = search(found.index, found.encoder, found.asked.query, options)
    return (*hits, *(hit for hit in again if hit.id not in known))
