"""One result: its picture, what it is called, and its hands."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from cir.encoders.protocol import Encoder
from cir.images import is_thumbnail
from cir.store import Hit, MilvusIndex
from cir.store.filters import Condition, Value, spelling
from pages.parts.search import asked as state
from pages.parts.search.asked import Asked
from pages.parts.search.larger import look_at
from pages.parts.search.mark import mark
from pages.parts.search.menu import Shown
from pages.parts.search.take_away import choose_box
from pages.parts.shell.session import plain

MORE, LESS = "More like this", "Less like this"
# A grid of cards, through the wrappers that Streamlit puts around them: those become transparent to
# the layout, so that rows go on where a batch ends. All of a card but its hands opens it.
STYLE = """<style>
.st-key-results { display: grid; gap: 1.1rem 0.9rem; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(%(width)s, 100%%), 1fr)); }
.st-key-results :is(.stVerticalBlock, [data-testid="stLayoutWrapper"]):has([class*="st-key-card-"]),
.st-key-results > [data-testid="stLayoutWrapper"] { display: contents; }
.st-key-results .stVerticalBlock[class*="st-key-way-"] { display: grid; grid-column: 1 / -1;
  gap: 0.9rem; grid-template-columns: repeat(auto-fill, minmax(5.4rem, 1fr)); }
.st-key-results [class*="st-key-card-"] { position: relative; gap: 0; min-width: 0; }
.st-key-results [class*="st-key-whole-row"],
.st-key-results .stVerticalBlock:not([class*="st-key-"]) > .stElementContainer {
  grid-column: 1 / -1; }
[class*="st-key-card-"] .stImage img { border-radius: 0.5rem; max-height: %(tall)s;
  object-fit: contain; }
[class*="st-key-card-"] [data-testid="stElementToolbar"] { display: none; }
[class*="st-key-open-"] button { padding: 0.35rem 0 0; min-height: 0; justify-content: start; }
[class*="st-key-open-"] button :is(div, span) { justify-content: start; text-align: left; }
[class*="st-key-open-"] button p { overflow: hidden; display: -webkit-box; overflow-wrap: anywhere;
  -webkit-line-clamp: 2; -webkit-box-orient: vertical; font-size: 0.9rem; line-height: 1.3; }
[class*="st-key-open-"], [class*="st-key-open-"] :is(.stButton, button) { position: static; }
[class*="st-key-open-"] button::after { content: ""; position: absolute; inset: 0; }
[class*="st-key-card-"] [data-testid="stCaptionContainer"] p { font-size: 0.78rem; margin: 0;
  overflow-wrap: anywhere; }
[class*="st-key-card-"] [data-testid="stCaptionContainer"] { margin: 0; }
[class*="st-key-hands-"], [class*="st-key-card-"] .stCheckbox { position: relative; z-index: 1; }
/* Streamlit's colour for this is too pale on dark ground. */
:is([class*="st-key-card-"], [class*="st-key-near-"])
  button[kind="tertiary"]:is(:hover, :focus, :active) {
  color: inherit; text-decoration: underline; }
[class*="st-key-hands-"] button { padding: 0; min-height: 1.75rem; }
[class*="st-key-hands-"] button p { font-size: 0.8rem; }
</style>"""


@dataclass(frozen=True)
class Found:
    """What the parts of one list of results share.

    Attributes:
        encoder: None where images are shown that nobody has asked for.
        marking: key of the query whose targets are being marked, None where none are.
        marks: paths of the targets that are ticked.
        link: to the search as this was drawn; by another one the page has to be drawn anew.
    """

    index: MilvusIndex
    encoder: Encoder | None
    asked: Asked
    shown: Shown
    marking: str | None
    marks: tuple[str, ...]
    link: str


def draw_card(
    found: Found,
    hits: Sequence[Hit],
    hit: Hit,
    rank: int,
    jpeg: bytes | None,
    place: str = "",
) -> None:
    """One result with its hands.

    Args:
        hits: among which the larger view goes on.
        jpeg: its thumbnail.
        place: tells apart the cards of an image that stands in several places; such cards are
            small, their hands are in the larger view.
    """
    scored = found.encoder is not None
    key = f"{place}{hit.id}"
    with st.container(key=f"card-{key}"):
        if jpeg is None or not is_thumbnail(jpeg):  # others may write to a shared Milvus
            st.caption("no preview")
        else:
            what = "Result" if scored else "Image"
            st.image(jpeg, width="stretch", alt=f"{what} {rank}: {hit.path}")
        look = st.button(
            plain(found.shown.title(hit)), key=f"open-{key}", type="tertiary", width="stretch"
        )
        facts = found.shown.facts(hit) + ([f"{hit.score:.3f}"] if scored else [])
        facts += moved(hit, rank)
        if facts:
            st.caption(plain(" · ".join(facts)))
        if not place:
            look = _hands(found, hit, rank) or look
    if look:
        look_at(found, hits, hit.id)


def moved(hit: Hit, rank: int) -> list[str]:
    """From where a second stage has moved a result, for the line under its title."""
    before = hit.reranked.rank if hit.reranked else rank
    return [] if before == rank else [f"{'↑' if before > rank else '↓'} was {before}"]


def _hands(found: Found, hit: Hit, rank: int) -> bool:
    """What can be done with a result; whether somebody wants to see what stands under it."""
    scored = found.encoder is not None
    look = False
    with st.container(key=f"hands-{hit.id}", horizontal=True, gap="xsmall"):
        st.button(
            "Search with this",
            key=f"use-{hit.id}",
            type="tertiary",
            on_click=state.search_with,
            args=(hit.id,),
        )
        if scored:
            st.menu_button(
                "More",
                (MORE, LESS),
                key=f"hand-{hit.id}",
                type="tertiary",
                on_click=_hand,
                args=(hit.id,),
            )
            look = _under(found, hit)
    if found.marking is not None:
        mark(found.marking, hit, rank)
    if found.shown.choosing and scored:
        choose_box(hit, rank)
    return look


def _under(found: Found, hit: Hit) -> bool:
    """What stands under a hit; whether somebody wants to see it."""
    column = found.asked.options.group_by
    value = hit.metadata.get(column)
    if hit.group_size > 1 and value is not None:
        st.button(
            plain(f"All {hit.group_size:,} of {value}"),
            key=f"group-{hit.id}",
            type="tertiary",
            on_click=_open_group,
            args=(column, value),
        )
    if not hit.folded:
        return False
    copies = all(each.content_hash == hit.content_hash for each in hit.folded)
    count = len(hit.folded)
    one, many = ("copy", "copies") if copies else ("near-duplicate", "near-duplicates")
    return st.button(
        f"+{count} {one if count == 1 else many}", key=f"folded-{hit.id}", type="tertiary"
    )


def _open_group(column: str, value: Value) -> None:
    """Show all images of the group instead of the groups."""
    condition = spelling(Condition(column, "=", value))
    conditions = [*state.state().get("where", ()), condition]
    state.set_options(f"all of {value}", {"where": conditions, "group_by": ""})


def _hand(key: str) -> None:
    """What was chosen in the menu of a card."""
    chosen = st.session_state[f"hand-{key}"]
    (state.more_like if chosen == MORE else state.less_like)(key)
