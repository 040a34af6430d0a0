"""One result, large: the picture, why it is here, all that is known of it, and what is like it."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from cir.images import is_thumbnail
from cir.search import similarities
from cir.search.references import indexed_reference, neighbours
from cir.store import Hit, ImageRecord
from pages.parts.search import asked as state
from pages.parts.shell.session import is_local, people_errors, plain, session_settings

if TYPE_CHECKING:
    from pages.parts.search.cards import Found

_LOOKED_AT = "looked at"
_NEIGHBOURS = 8
SCORES = (
    "Cosine similarities, from -1 to 1. How high they go depends on what is asked: a picture alone "
    "reaches 0.98, a picture with a sentence some 0.4, a sentence alone less. Compare them within "
    "one list."
)
_STYLE = """<style>
.st-key-larger [data-testid="stImage"] img { border-radius: 0.5rem; max-height: 58vh;
  object-fit: contain; }
.st-key-larger [class*="st-key-near-"] { position: relative; gap: 0; }
.st-key-larger [class*="st-key-near-"] [data-testid="stImage"] img { max-height: 8rem; }
.st-key-larger [data-testid="stElementToolbar"] { display: none; }
.st-key-larger table { font-size: 0.85rem; border-collapse: collapse; width: 100%; }
.st-key-larger :is(th, td) { text-align: left; vertical-align: top; overflow-wrap: anywhere;
  padding: 0.25rem 0.75rem 0.25rem 0;
  border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent); }
.st-key-larger th { font-weight: 400; opacity: 0.8; white-space: nowrap; }
</style>"""


def look_at(found: "Found", hits: Sequence[Hit], key: str) -> None:
    """Open the larger view of this one of the hits."""
    st.session_state[_LOOKED_AT] = key
    _dialog(found, hits)


@st.dialog("A closer look", width="large")
def _dialog(found: "Found", hits: Sequence[Hit]) -> None:
    if state.link() != found.link:
        st.rerun()  # one of the hands below has changed what is asked
    key = st.session_state[_LOOKED_AT]
    st.html(_STYLE)
    with st.container(key="larger"), people_errors():
        _steps(hits, key)
        records = found.index.get([key])
        if not records:
            st.info("This image is no longer in the index.")
            return
        hit = next((hit for hit in hits if hit.id == key), None)
        _picture(found, records[0], hit)
        if hit is not None and hit.folded:
            _row(found, "Folded under this one", hit.folded)
        _row(found, "Most like this image", neighbours(found.index, key, _NEIGHBOURS))


def _steps(hits: Sequence[Hit], key: str) -> None:
    """Previous and next, also by the arrow keys."""
    ids = [hit.id for hit in hits]
    at = ids.index(key) if key in ids else None
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for label, step in (("Previous", -1), ("Next", 1)):
            to = None if at is None else at + step
            there = to is not None and 0 <= to < len(ids)
            st.button(
                label,
                shortcut="Left" if step < 0 else "Right",
                disabled=not there,
                on_click=_turn_to,
                args=(ids[to] if to is not None and there else key,),
                key=f"larger {label}",
            )
        if at is not None:
            st.caption(f"{at + 1} of {len(ids)}")
        elif ids:
            st.button("Back to the results", on_click=_turn_to, args=(ids[0],), type="tertiary")


def _turn_to(key: str) -> None:
    st.session_state[_LOOKED_AT] = key


def _picture(found: "Found", record: ImageRecord, hit: Hit | None) -> None:
    left, right = st.columns([3, 2], gap="medium")
    # The original where this session may read it, else the thumbnail.
    shown = indexed_reference(found.index, record.id, session_settings(), local=is_local())
    with left:
        st.image(shown.image, width="stretch", alt=f"Larger: {record.path}")
        if shown.is_thumbnail:
            st.caption("The original is not at hand: this is its small preview.")
    with right:
        as_hit = hit or Hit(record.id, record.path, 0.0, record.metadata)
        st.markdown(f"#### {plain(found.shown.title(as_hit))}")
        _hands(found, record.id)
        if found.encoder is not None:
            _why(found, record.id, hit)
        _facts(record)


def _hands(found: "Found", key: str) -> None:
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Search with this",
            type="primary",
            on_click=state.search_with,
            args=(key,),
            key="larger use",
        )
        if found.encoder is not None:
            for label, act in (
                ("More like this", state.more_like),
                ("Less like this", state.less_like),
            ):
                st.button(label, on_click=act, args=(key,), key=f"larger {label}")


def _why(found: "Found", key: str, hit: Hit | None) -> None:
    """The reference beside the picture, and how near this is to each side of the query."""
    assert found.encoder is not None
    asked = found.asked
    own = similarities(found.index, found.encoder, asked.query, asked.options, [key])
    lines = [] if hit is None else [f"**{hit.score:.3f}** to all that is asked"]
    for near, side in ((own["image"], "reference"), (own["text"], "sentence")):
        if key in near:
            lines.append(f"**{near[key]:.3f}** to the {side} alone")
    if hit is not None and hit.reranked:
        lines.append(
            f"**{hit.reranked.share:.2f}** by the second stage, of 1; without it, result "
            f"{hit.reranked.rank}"
        )
        if hit.reranked.reason:
            lines.append(f"“{plain(hit.reranked.reason)}”")
    first = asked.references[0] if asked.references else None
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small"):
        if first is not None:
            st.image(first.image, width=96, alt=f"Reference image: {first.name}")
        with st.container(width="stretch"):
            if asked.instruction.strip():
                st.markdown(f"“{plain(asked.instruction.strip())}”")
            st.markdown("  \n".join(lines), help=SCORES)


def _facts(record: ImageRecord) -> None:
    """All that the index knows of the image; a table of its own, which finds no links in names."""
    facts = dict(record.metadata)
    facts |= {"File": record.path, "Size": f"{record.width} x {record.height} pixels"}
    rows = [
        f"<tr><th scope='row'>{escape(name)}</th><td>{escape(str(value))}</td></tr>"
        for name, value in facts.items()
    ]
    st.html(f"<table>{''.join(rows)}</table>")


def _row(found: "Found", title: str, hits: Sequence[Hit]) -> None:
    """Further images, each to be looked at."""
    if not hits:
        return
    st.markdown(f"**{title}**")
    jpegs = found.index.thumbnails([hit.id for hit in hits])
    with st.grid(min_column_width=100):
        for hit in hits:
            key = f"near-{title[:4]}-{hit.id}"
            with st.container(key=key):
                jpeg = jpegs.get(hit.id)
                if jpeg is not None and is_thumbnail(jpeg):
                    st.image(jpeg, width="stretch", alt=f"{title}: {hit.path}")
                st.button(
                    plain(found.shown.title(hit)),
                    key=f"open-{key}",
                    type="tertiary",
                    width="stretch",
                    on_click=_turn_to,
                    args=(hit.id,),
                )
