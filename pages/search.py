"""Search: a reference image, an instruction, and the images nearest to the two."""

from pathlib import PurePosixPath

import streamlit as st

from cir.encoders.protocol import precision_note
from cir.images import is_thumbnail
from cir.search import is_cut, search
from cir.store import Hit, ImageRecord, MilvusIndex
from pages.parts.search import asked as state
from pages.parts.search.asked import Asked
from pages.parts.search.bar import STYLE, show_bar, show_chips, show_history
from pages.parts.search.mark import mark, offer_marking
from pages.parts.search.refine import show_refine
from pages.parts.search.welcome import welcome
from pages.parts.shell.navigation import started_by_app
from pages.parts.shell.session import chosen_index, encoder_of, people_errors, plain, unknown_index

BROWSED = 12
SHOWN_FIELDS = 4


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
        show_bar()
        with st.container(key="asked", horizontal=True, vertical_alignment="center"):
            show_refine(index)  # first: chips that come and go would move what is open
            with people_errors():
                show_chips(index)
            show_history()
    asked = state.read(index)
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
        "Paste a picture, or press **Search with this** under one of these, then say what should "
        "be different."
    )
    hits = [_as_hit(record) for record in records]
    _grid(index, hits, scored=False)


def _answer(index: MilvusIndex, asked: Asked) -> None:
    encoder = encoder_of(index.info)
    query = asked.query
    hits = search(index, encoder, query, asked.options)
    if any(each.is_thumbnail for each in asked.references):
        st.caption("The original is not at hand: its small preview serves as the reference.")
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


def _grid(index: MilvusIndex, hits: list[Hit], *, scored: bool, marking: str | None = None) -> None:
    thumbnails = index.thumbnails([hit.id for hit in hits])
    with st.container(key="results"), st.grid(min_column_width=150):
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
        on_click=state.search_with,
        args=(hit.id,),
    )


def _as_hit(record: ImageRecord) -> Hit:
    return Hit(record.id, record.path, 0.0, record.metadata)


with people_errors():
    if started_by_app():
        show()
