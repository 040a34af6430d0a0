"""An index that other weights made: it says so, and is encoded anew by one press."""

from enum import StrEnum

import streamlit as st

from cir.encoders.protocol import Encoder, require_same_encoder
from cir.errors import EncoderMismatchError, WayOut
from cir.jobs.indexes import IndexJobs
from cir.store import IndexInfo
from pages.parts.shell.navigation import INDEXES_FILE
from pages.parts.shell.session import is_local, may_change, plain, session_settings, store

_UNDER_WAY = "It is being encoded anew: see Indexes. It can be searched then."
_BY_OTHERS = "Who manages this Recompose can encode it anew."


def answers_to(info: IndexInfo, encoder: Encoder) -> bool:
    """Whether the encoder made the index; if not, the page says what is the matter and helps."""
    try:
        require_same_encoder(encoder, info)
    except EncoderMismatchError as error:
        jobs = IndexJobs(session_settings(), store(), local=is_local())
        running = jobs.is_running(info.name)
        words: dict[StrEnum, str] = {}
        if running or not may_change():
            words[WayOut.ENCODE_ANEW] = _UNDER_WAY if running else _BY_OTHERS
        st.warning(plain(error.worded(words)), icon=":material/sync_problem:")
        if may_change() and not running:
            offer_anew(info, jobs)
        return False
    return True


def offer_anew(info: IndexInfo, jobs: IndexJobs) -> None:
    """The button that encodes an index anew by its own encoder; progress is on the Indexes page."""
    label, icon = "Encode anew", ":material/sync:"
    if st.button(label, key=f"anew {info.collection}", type="primary", icon=icon):
        jobs.move(info, info.encoder)
        st.switch_page(INDEXES_FILE)
