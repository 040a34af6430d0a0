"""What the pages share: the store, the encoders, the chosen index, errors for people."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from cir.encoders.base import Encoder
from cir.errors import RecomposeError
from cir.settings import Settings, load_settings
from cir.store import Index, IndexInfo, Store

log = logging.getLogger(__name__)
INDEX_KEY = "index"
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:])")


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    """The settings of this server."""
    return load_settings()


@st.cache_resource(show_spinner=False, on_release=lambda store: store.close())
def store() -> Store:
    """The store of people's indexes, shared by every session."""
    now = settings()
    return Store(now.index_uri, now.milvus_token, data_dir=now.data_dir)


@st.cache_resource(show_spinner="Loading the encoder", max_entries=2)
def encoder(name: str, weights: str | None) -> Encoder:
    """An encoder, shared by every session."""
    from cir.encoders.registry import load_encoder

    return load_encoder(name, weights)


def pick_index() -> None:
    """The choice of the index in the sidebar; `chosen_index` reads it."""
    names = [info.name for info in store().list()]
    if names:
        st.sidebar.selectbox("Index", names, key=INDEX_KEY, bind="query-params")


def chosen_index() -> Index | None:
    """The index chosen in the sidebar; None while there is none."""
    name = st.session_state.get(INDEX_KEY)
    return store().open(name) if name else None


def encoder_of(info: IndexInfo) -> Encoder:
    """The encoder that made the index."""
    return encoder(info.encoder, info.weights)


@contextmanager
def people_errors() -> Iterator[None]:
    """Show an error as a sentence; what nobody foresaw goes to the log, not to the browser."""
    try:
        yield
    except RecomposeError as error:
        st.error(plain(str(error)), icon=":material/error:")
    except Exception as error:  # the boundary to the browser
        if type(error).__module__.startswith("streamlit"):
            raise  # how Streamlit itself stops or reruns a script
        log.exception("a page failed")
        st.error(
            "Something went wrong here that Recompose did not foresee. The server's log has the "
            "details.",
            icon=":material/error:",
        )


def plain(text: str) -> str:
    """The text with everything escaped that Markdown would read as markup."""
    return _MARKDOWN.sub(r"\\\1", text)
