"""What the pages share: the store, the encoders, the chosen index, errors for people."""

import functools
import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import streamlit as st

from cir.access import GATE
from cir.encoders.protocol import Encoder
from cir.errors import RecomposeError, StoreAwayError, Words
from cir.settings import Settings, load_settings
from cir.store import IndexInfo, MilvusIndex, MilvusStore, gallery_store, index_store
from cir.words import duration

log = logging.getLogger(__name__)
INDEX_KEY = "index"
_PAGE_KEY, _CAME_KEY = "page", "came from another page"
_UNKNOWN_KEY = "index that is not here"
_OF_ANY_INDEX = ("instruction",)
UNLOCKED_KEY = "unlocked"
# Where GitHub's kind of Markdown finds an address: after a letter it finds no http:// and no www,
# and before "@" it wants letters.
_ADDRESS = re.compile(r"(?=https?://|www\.)|(?=@[-\w]+\.)", re.IGNORECASE)
AWAY_SECONDS = 3.0
_WAITING_ICON = ":material/hourglass_top:"
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:])")


# What all sessions share is no matter of Streamlit's caches: anybody may empty those by a message
# over the websocket, and the stores would be closed under the searches of others.


@functools.cache
def settings() -> Settings:
    """The settings of this server."""
    return load_settings()


def session_settings() -> Settings:
    """The settings for this session: read-only where managing is locked and nobody has unlocked it.

    A set admin password locks it, and so do addresses of admins and a sign-in, for all others.
    """
    now = settings()
    signs_in = st.user.get("is_logged_in") is not None
    locked = now.read_only or bool(now.admin_password or now.admin_emails or signs_in)
    unlocked = st.session_state.get(UNLOCKED_KEY, False) or _is_admin(now)
    return replace(now, read_only=locked and not unlocked)


def _is_admin(now: Settings) -> bool:
    """Whether this is an admin by an address that the provider has verified."""
    if not st.user.get("is_logged_in") or st.user.get("email_verified") is not True:
        return False
    return str(st.user.get("email")).strip().lower() in now.admin_emails


def may_change() -> bool:
    """Whether this session may change indexes and make runs."""
    return not session_settings().read_only


def why_locked(doing: str, left: str) -> str:
    """Why a page changes nothing, in Markdown: what unlocking is for, or what is left to do."""
    if settings().admin_password is not None:
        return f"To {doing}, unlock this page: **Manage** in the sidebar."
    return f"This Recompose is read-only: {left}."


def is_local() -> bool:
    """Whether this person has the machine: the server listens on loopback alone, and no proxy there
    names a client from elsewhere.
    """
    listens = st.get_option("server.address") in {"localhost", "127.0.0.1", "::1"}
    return listens and st.context.ip_address is None


def store() -> MilvusStore:
    """The store of people's indexes, shared by every session of the same rights."""
    return _store(session_settings())


@functools.cache
def _store(now: Settings) -> MilvusStore:
    return index_store(now)


@functools.cache
def galleries() -> MilvusStore:
    """The store of evaluation galleries, to look at."""
    return gallery_store(replace(settings(), read_only=True))


def offer_unlock() -> None:
    """In the sidebar: a place for the admin password, where there is one to give."""
    if settings().admin_password is None:
        return
    unlocked = st.session_state.get(UNLOCKED_KEY, False)
    if unlocked and st.sidebar.button("Lock", icon=":material/lock:"):
        st.session_state[UNLOCKED_KEY] = False
        st.rerun()
    if may_change():
        return
    with st.sidebar.expander("Manage", icon=":material/lock_open:"), st.form("unlock"):
        attempt = st.text_input("Admin password", type="password")
        if st.form_submit_button("Unlock"):
            _unlock(attempt)


def _unlock(attempt: str) -> None:
    address = st.context.ip_address
    early = GATE.wait_seconds(address)
    if GATE.opens(attempt, settings().admin_password, address):
        st.session_state[UNLOCKED_KEY] = True
        st.rerun()
    wait = GATE.wait_seconds(address)
    later = f" Try again in {duration(wait)}." if wait else ""
    if early:
        st.error(f"This try was not looked at: too many passwords were wrong.{later}")
    else:
        st.error(f"This is not the password.{later}")


def pick_index() -> None:
    """The choice of the index in the sidebar; `chosen_index` reads it.

    The address says which it is, so that the browser's Back brings an index back as well. Not bound
    to it by Streamlit, which leaves a default out: a link must name its index, whichever comes
    first when it is opened.
    """
    names = [info.name for info in store().list()]
    if not names:
        return
    asked, before = st.query_params.get(INDEX_KEY), st.session_state.get(INDEX_KEY)
    chosen = next((name for name in (asked, before) if name in names), names[0])
    st.session_state[INDEX_KEY] = chosen
    st.sidebar.selectbox("Index", names, key=INDEX_KEY, on_change=_name_index)
    st.session_state[_UNKNOWN_KEY] = None
    if asked is not None and asked not in names:
        # A link's, or one that was dropped; it stays there until something is asked.
        st.session_state[_UNKNOWN_KEY] = asked
    elif asked != chosen:
        st.query_params[INDEX_KEY] = chosen


def unknown_index() -> str | None:
    """The index that a link names and that is not here."""
    found: str | None = st.session_state.get(_UNKNOWN_KEY)
    return found


def came_from_elsewhere() -> bool:
    """Whether another page was shown before this run."""
    return bool(st.session_state.get(_CAME_KEY))


def note_page(page: str) -> None:
    """Note which page is shown; before it runs."""
    before = st.session_state.get(_PAGE_KEY, page)
    st.session_state[_CAME_KEY] = before != page
    st.session_state[_PAGE_KEY] = page


def choose_index(name: str) -> None:
    """Choose an index; for callbacks. What is asked by pictures of another one is forgotten."""
    kept = {key: st.query_params.get_all(key) for key in _OF_ANY_INDEX if key in st.query_params}
    st.session_state[INDEX_KEY] = name
    st.query_params.from_dict({INDEX_KEY: [name], **kept})


def _name_index() -> None:
    choose_index(st.session_state[INDEX_KEY])


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
    """The text with everything escaped that Markdown would read as markup.

    Addresses are found by the browser after escapes are undone: a word joiner, which nobody sees,
    keeps the name of a file from becoming a link.
    """
    return _MARKDOWN.sub(r"\\\1", _ADDRESS.sub("\u2060", text))
