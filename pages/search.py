"""Search: a reference image, an instruction, and the images nearest to the two."""

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from cir.errors import ImageError
from cir.images import SUFFIXES, content_hash, decode
from cir.search import Query, search
from cir.store import Hit, Index
from pages.common import chosen_index, encoder_of, people_errors, plain

LIMIT = 24
SHOWN_FIELDS = 4


def show() -> None:
    """The page."""
    st.title("Search")
    index = chosen_index()
    if index is None:
        _no_index()
        return
    upload, instruction = _ask()
    query = _query(upload, instruction)
    if query is None:
        st.info(
            "Give a picture, a sentence about what should be different, or both: “this dress, but "
            "in red”.",
            icon=":material/lightbulb:",
        )
        return
    _results(index, query)


def _ask() -> tuple[UploadedFile | None, str]:
    """The reference image and the instruction, side by side."""
    left, right = st.columns([1, 2])
    with left:
        upload = st.file_uploader(
            "Reference image", type=[suffix.lstrip(".") for suffix in sorted(SUFFIXES)]
        )
    with right:
        instruction = st.text_input(
            "Instruction",
            placeholder="in red",
            help="What should be different from the picture. Without a picture: what to look for.",
            key="instruction",
            bind="query-params",
        )
        st.button("Search", type="primary", icon=":material/search:")
    return upload, instruction or ""


def _query(upload: UploadedFile | None, instruction: str) -> Query | None:
    if upload is None:
        return Query(instruction=instruction) if instruction.strip() else None
    data = upload.getvalue()
    try:
        picture = decode(data)
    except ImageError as error:
        raise ImageError(f"{upload.name}: {error}. Choose another picture.") from error
    return Query(picture.image, instruction, content_hash(data))


def _results(index: Index, query: Query) -> None:
    encoder = encoder_of(index.info)
    if index.info.state != "ready":
        st.warning("This index is incomplete: images are still being added, or adding stopped.")
    if query.text and encoder.truncates([query.text])[0]:
        st.warning("The instruction is too long; its end was not read.")
    hits = search(index, encoder, query, limit=LIMIT)
    _asked(query)
    if not hits:
        st.info("This index has no other image.")
        return
    thumbnails = index.thumbnails([hit.id for hit in hits])
    with st.grid(min_column_width=170):
        for rank, hit in enumerate(hits, start=1):
            with st.container():
                _result(rank, hit, thumbnails.get(hit.id))


def _asked(query: Query) -> None:
    """What was asked, in view above the results."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if query.image is not None:
            st.image(query.image, width=120, alt="The reference image")
        if query.text:
            st.markdown(f"“{plain(query.text)}”")


def _result(rank: int, hit: Hit, jpeg: bytes | None) -> None:
    if jpeg is None:
        st.caption("no preview")
    else:
        st.image(jpeg, width="stretch", alt=f"Result {rank}: {hit.path}")
    st.markdown(f"**{hit.score:.3f}** {plain(hit.path)}")
    fields = [f"{key}: {value}" for key, value in hit.metadata.items() if value != hit.path]
    if fields:
        more = plain("\n".join(fields)) if len(fields) > SHOWN_FIELDS else None
        st.caption(plain(", ".join(fields[:SHOWN_FIELDS])), help=more)


def _no_index() -> None:
    st.markdown(
        "Recompose finds images by a picture and a sentence: this dress, but in red. It searches "
        "images that you have indexed, and there are none yet. Index a folder from the command "
        "line, then come back:"
    )
    st.code("python -m cir index FOLDER --name NAME", language="shell")


with people_errors():
    show()
