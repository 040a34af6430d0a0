"""What the pages share: the store, the encoders, the chosen index, errors for people."""

import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import streamlit as st

from cir.access import Gate
from cir.encoders.protocol import Encoder
from cir.errors import RecomposeError, StoreAwayError, Words
from cir.settings import Settings, load_settings
from cir.store import IndexInfo, MilvusIndex, MilvusStore, gallery_store, index_store

log = logging.getLogger(__name__)
INDEX_KEY = "index"
UNLOCKED_KEY = "unlocked"
AWAY_SECONDS = 3.0
_WAITING_ICON = ":material/hourglass_top:"
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:])")


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    """The settings of this server."""
    return load_settings()


@st.cache_resource(show_spinner=False)
def gate() -> Gate:
    """The check of the admin password, one for all sessions."""
    return Gate(settings().admin_password)


def session_settings() -> Settings:
    """The settings for this session: read-only until a set admin password has been given."""
    now = settings()
    locked = now.read_only or now.admin_password is not None
    return replace(now, read_only=locked and not st.session_state.get(UNLOCKED_KEY, False))


def may_change() -> bool:
    """Whether this session may change indexes and make runs."""
    return not session_settings().read_only


def why_locked(doing: str, left: str) -> str:
    """Why a page changes nothing, in Markdown: what unlocking is for, or what is left to do."""
    if settings().admin_password is not None:
        return f"To {doing}, unlock this page: **Manage** in the sidebar."
    return f"This Recompose is read-only: {left}."


def is_local() -> bool:
    """Whether the server listens on loopback alone."""
    return st.get_option("server.address") in {"localhost", "127.0.0.1", "::1"}


def store() -> MilvusStore:
    """The store of people's indexes, shared by every session of the same rights."""
    return _store(session_settings())


@st.cache_resource(show_spinner=False, on_release=lambda store: store.close())
def _store(now: Settings) -> MilvusStore:
    return index_store(now)


@st.cache_resource(show_spinner=False, on_release=lambda store: store.close())
def galleries() -> MilvusStore:
    """The store of evaluation galleries, to look at."""
    return gallery_store(replace(settings(), read_only=True))


def offer_unlock() -> None:
    """In the sidebar: a place for the admin password, where there is one to give."""
    if settings().admin_password is None:
        return
    if may_change():
        if st.sidebar.button("Lock", icon=":material/lock:"):
            st.session_state[UNLOCKED_KEY] = False
            st.rerun()
        return
    with st.sidebar.expander("Manage", icon=":material/lock_open:"), st.form("unlock"):
        attempt = st.text_input("Admin password", type="password")
        if st.form_submit_button("Unlock"):
            if gate().opens(attempt):
                st.session_state[UNLOCKED_KEY] = True
                st.rerun()
            wait = gate().wait_seconds
            later = f" Try again in {wait / 60:.0f} min." if wait else ""
            st.error(f"This is not the password.{later}")


def pick_index() -> None:
    """The choice of the index in the sidebar; `chosen_index` reads it."""
    names = [info.name for info in store().list()]
    if not names:
        return
    if st.session_state.get(INDEX_KEY) not in names:
        asked = st.query_params.get(INDEX_KEY)
        st.session_state[INDEX_KEY] = asked if asked in names else names[0]
    # Not bound to the URL by Streamlit, which leaves a default out: a link must name its index,
    # whichever comes first when it is opened.
    chosen = st.sidebar.selectbox("Index", names, key=INDEX_KEY)
    if st.query_params.get(INDEX_KEY) != chosen:
        st.query_params[INDEX_KEY] = chosen


def chosen_index() -> MilvusIndex | None:
    """The index chosen in the sidebar; None while there is none."""
    name = st.session_state.get(INDEX_KEY)
    return store().open(name) if name else None


def encoder_of(info: IndexInfo) -> Encoder:
    """The encoder that made the index.

    Raises:
        UsageError: this Recompose does not have it. EncoderError: it cannot be loaded.
    """
    from cir.encoders.registry import choice_of_index, choose, load_encoder

    with st.spinner("Loading the encoder"):
        return load_encoder(choice_of_index(info, choose(settings())), download=False)


@contextmanager
def people_errors(words: Words | None = None) -> Iterator[None]:
    """Show an error as a sentence; what nobody foresaw goes to the log, not to the browser.

    A server that is away is no error: the page says so and goes on by itself once it is back.

    Args:
        words: what the ways out of errors are called on the page.
    """
    try:
        yield
    except StoreAwayError as error:
        st.info(plain(f"{store().place} does not answer. Trying again."), icon=_WAITING_ICON)
        if may_change():
            st.caption(plain(str(error)))
        _rerun_when_back(time.monotonic())
    except RecomposeError as error:
        st.error(plain(error.worded(words or {})), icon=":material/error:")
    except Exception as error:  # the boundary to the browser
        if type(error).__module__.startswith("streamlit"):
            raise  # how Streamlit itself stops or reruns a script
        log.exception("a page failed")
        st.error(
            "Something went wrong here that Recompose did not foresee. The server's log has the "
            "details.",
            icon=":material/error:",
        )


@st.fragment(run_every=AWAY_SECONDS)
def _rerun_when_back(since: float) -> None:
    first_run = time.monotonic() - since < AWAY_SECONDS / 2  # with the page, which has just asked
    if not first_run and store().answers():
        st.rerun()


def plain(text: str) -> str:
    """The text with everything escaped that Markdown would read as markup."""
    return _MARKDOWN.sub(r"\\\1", text)
