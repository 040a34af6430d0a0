"""Search: a reference image, an instruction, and the images nearest to the two."""

from collections.abc import Sequence
from pathlib import PurePosixPath

import streamlit as st

from cir.encoders.protocol import precision_note
from cir.images import is_thumbnail
from cir.search import Query, is_cut, search
from cir.search.references import Reference
from cir.store import Hit, ImageRecord, MilvusIndex
from pages.parts.search.mark import mark, offer_marking
from pages.parts.search.query import Asked, ask, use_as_reference
from pages.parts.search.welcome import welcome
from pages.parts.shell.navigation import started_by_app
from pages.parts.shell.session import chosen_index, encoder_of, people_errors, plain

BROWSED = 12
SHOWN_FIELDS = 4
# The asked stays in view while the results scroll.
STICKY = """<style>
div:has(> .st-key-asked) { position: sticky; top: 3.75rem; z-index: 5; padding: 0.25rem 0;
  backdrop-filter: blur(14px); }
.st-key-asked img { max-height: 5rem; width: auto; }
</style>"""


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
    asked = ask(index)
    if asked is None:
        return  # why stands at the reference; without it this would be another question
    if asked.is_empty:
        _browse(index)
    else:
        _answer(index, asked)


def _browse(index: MilvusIndex) -> None:
    """Before anything is asked: some images to begin with."""
    records = index.some(BROWSED)
    if not records:
        st.info("This index holds no images yet.")
        return
    st.markdown(
        "Upload a picture or press **Search with this** under one of these, then say what should "
        "be different."
    )
    hits = [_as_hit(record) for record in records]
    _grid(index, hits, scored=False)


def _answer(index: MilvusIndex, asked: Asked) -> None:
    encoder = encoder_of(index.info)
    reference = asked.reference
    query = Query(
        image=reference.image if reference else None,
        instruction=asked.instruction,
        content_hash=reference.content_hash if reference else None,
    )
    hits = search(index, encoder, query, asked.options)
    _asked(reference, query.text, asked.options.where)
    if is_cut(encoder, query):
        st.warning("The instruction is too long; its end was not read.")
    note = precision_note(encoder, index.info)
    if note:
        st.info(plain(note))
    if hits:
        _grid(index, hits, scored=True, marking=offer_marking(index, asked, hits))
    elif asked.options.where:
        st.info("No image meets the filters. Take one of them away.", icon=":material/filter_alt:")
    else:
        st.info("This index has no other image.")


def _asked(reference: Reference | None, text: str, where: Sequence[str]) -> None:
    """What was asked, in view above the results."""
    st.html(STICKY)
    row = st.container(key="asked", horizontal=True, vertical_alignment="center", gap="medium")
    with row:
        if reference is not None:
            st.image(reference.image, width=96, alt=f"Reference image: {reference.name}")
        words = [f"“{plain(text)}”"] if text else []
        words += [f"`{condition.replace('`', '')}`" for condition in where]
        st.markdown(" ".join(words) or "the images most like this one")
    if reference is not None and reference.is_thumbnail:
        st.caption("The original is not at hand: its small preview serves as the reference.")


def _grid(index: MilvusIndex, hits: list[Hit], *, scored: bool, marking: str | None = None) -> None:
    thumbnails = index.thumbnails([hit.id for hit in hits])
    with st.grid(min_column_width=150):
        for rank, hit in enumerate(hits, start=1):
            with st.container():
                _card(rank, hit, thumbnails.get(hit.id), scored=scored)
                if marking is not None:
                    mark(marking, hit, rank)


def _card(rank: int, hit: Hit, jpeg: bytes | None, *, scored: bool) -> None:
    what = f"Result {rank}" if scored else f"Image {rank}"
    if jpeg is None or not is_thumbnail(jpeg):  # others may write to a shared Milvus
        st.caption("no preview")
    else:
        st.image(jpeg, width="stretch", alt=f"{what}: {hit.path}")
    score = f"**{hit.score:.3f}** " if scored else ""
    st.markdown(f"{score}{plain(hit.path)}")
    names = {hit.path, PurePosixPath(hit.path).stem}
    fields = [f"{key}: {value}" for key, value in hit.metadata.items() if str(value) not in names]
    if fields:
        every = plain("\n".join(fields)).replace("\n", "  \n")
        shown = [field.split(": ", 1)[1] for field in fields[:SHOWN_FIELDS]]
        st.caption(plain(" · ".join(shown)), help=every)
    st.button(
        "Search with this",
        key=f"use {hit.id}",
        type="tertiary",
        icon=":material/image_search:",
        on_click=use_as_reference,
        args=(hit.id,),
    )


def _as_hit(record: ImageRecord) -> Hit:
    return Hit(record.id, record.path, 0.0, record.metadata)


with people_errors():
    if started_by_app():
        show()
