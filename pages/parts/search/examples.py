"""Example instructions under the bar: one press asks."""

import streamlit as st

from cir.search.examples import Vocabulary, examples, vocabulary
from cir.store import MilvusIndex
from pages.parts.search import asked as state
from pages.parts.search.asked import Asked
from pages.parts.shell.session import plain

# Small enough that the first pictures stay whole on the first screen.
_STYLE = """<style>
.st-key-examples { margin-bottom: -0.4rem; }
.st-key-examples button { min-height: 1.9rem; padding: 0 0.6rem; }
.st-key-examples button p { font-size: 0.85rem; }
</style>"""
_RECORDS = 2_000  # looked at for the words of an index


def offer_examples(index: MilvusIndex, asked: Asked) -> None:
    """Chips with what could be said of the reference at hand; nothing where an instruction is."""
    if asked.instruction.strip():
        return
    first = asked.references[0] if asked.references else None
    known = index.get([first.key]) if first is not None and first.path is not None else []
    metadata = known[0].metadata if known else None
    offered = examples(_words(index), metadata, composed=first is not None)
    if offered:
        st.html(_STYLE)
        with st.container(horizontal=True, gap="xsmall", key="examples"):
            for example in offered:
                st.button(
                    plain(example), key=f"example {example}", on_click=state.ask, args=(example,)
                )


def _words(index: MilvusIndex) -> Vocabulary:
    info = index.info
    return _cached_words(index, info.collection, info.updated)


@st.cache_data(show_spinner=False, max_entries=20)
def _cached_words(_index: MilvusIndex, collection: str, updated: str) -> Vocabulary:
    return vocabulary(_index.some(_RECORDS), _index.info.columns)
