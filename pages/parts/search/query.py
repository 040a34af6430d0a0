"""What is asked on the search page: reference image, instruction, filters, number of results."""

import re
from dataclasses import dataclass

import streamlit as st

from cir.encoders.texts import MAX_CHARACTERS
from cir.images import MAX_BYTES, SUFFIXES
from cir.search.facets import suggested_conditions
from cir.search.options import SearchOptions
from cir.search.references import Reference, indexed_reference, uploaded_reference
from cir.store import MilvusIndex
from pages.parts.shell.server import megabytes
from pages.parts.shell.session import is_local, people_errors, plain, session_settings

EXAMPLES = ("in red", "in navy blue", "striped", "for women")
LIMITS = (12, 24, 48, 96)
FACET_RECORDS = 5000  # looked at for what to offer as filters
REFERENCE_PARAMETER = "ref"
_UPLOADS = "uploads so far"
_KEY = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Asked:
    """What a person asks for; `reference` None and `instruction` "" where it is left out."""

    reference: Reference | None
    instruction: str
    options: SearchOptions

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to search for."""
        return self.reference is None and not self.instruction.strip()


def ask(index: MilvusIndex) -> Asked | None:
    """Show the widgets; give what they hold, or None where the reference cannot be used."""
    left, right = st.columns([2, 3], gap="medium")
    reference, usable = None, False
    with left, people_errors():
        reference = _reference(index)
        usable = True
    with right:
        instruction = _instruction()
        options = _narrow(index)
    return Asked(reference, instruction, options) if usable else None


def use_as_reference(key: str) -> None:
    """Make an indexed image the reference; for callbacks."""
    _forget_upload()
    st.query_params[REFERENCE_PARAMETER] = key


def _forget_upload() -> None:
    """A file uploader can be emptied only by making another one."""
    st.session_state[_UPLOADS] = st.session_state.get(_UPLOADS, 0) + 1


def _forget_reference() -> None:
    st.query_params.pop(REFERENCE_PARAMETER, None)


def _reference(index: MilvusIndex) -> Reference | None:
    upload = st.file_uploader(
        "Reference image",
        type=[suffix.lstrip(".") for suffix in sorted(SUFFIXES)],
        key=f"upload {st.session_state.get(_UPLOADS, 0)}",
        max_upload_size=megabytes(MAX_BYTES),
        on_change=_forget_reference,
        help="Drop a picture here, or press “Search with this” under an indexed one.",
    )
    if upload is not None:
        return uploaded_reference(upload.name, upload.getvalue())
    key = st.query_params.get(REFERENCE_PARAMETER, "")
    if not _KEY.fullmatch(key):
        return None
    st.button("Remove the reference", icon=":material/close:", on_click=_forget_reference)
    return indexed_reference(index, key, session_settings(), local=is_local())


def _instruction() -> str:
    text = st.text_input(
        "Instruction",
        placeholder="in red",
        help="What should be different from the picture. Without a picture: what to look for.",
        max_chars=MAX_CHARACTERS,
        key="instruction",
        bind="query-params",
    )
    with st.container(horizontal=True, gap="xsmall"):
        # Typing and Enter searches too; the button is there for those who look for one.
        st.button("Search", type="primary", icon=":material/search:")
        for example in EXAMPLES:
            st.button(example, key=f"example {example}", on_click=_take_example, args=(example,))
    return text or ""


def _take_example(example: str) -> None:
    st.session_state["instruction"] = example


def _narrow(index: MilvusIndex) -> SearchOptions:
    """Filters and number of results, folded away until they are needed."""
    chosen = bool(st.session_state.get("where")) or "where" in st.query_params
    with st.expander("Filters and number of results", expanded=chosen, icon=":material/tune:"):
        where: list[str] = []
        if index.info.columns:
            where = st.multiselect(
                "Filters",
                _offers(index),
                key="where",
                bind="query-params",
                accept_new_options=True,
                placeholder="Choose or type, for example year>=2011",
                help="All must hold. Columns: " + plain(", ".join(sorted(index.info.columns))),
            )
        limit = st.segmented_control(
            "Results", LIMITS, default=LIMITS[1], required=True, key="limit", bind="query-params"
        )
    return SearchOptions(limit or LIMITS[1], tuple(where))


def _offers(index: MilvusIndex) -> list[str]:
    info = index.info
    return _cached_offers(index, info.collection, info.updated)


@st.cache_data(show_spinner=False, max_entries=20)
def _cached_offers(_index: MilvusIndex, collection: str, updated: str) -> list[str]:
    return suggested_conditions(_index.some(FACET_RECORDS), _index.info.columns)
