"""Pictures that people have sent as references: kept while they change pages and reload.

The server's memory holds them, decoded and small (see `cir.images.Picture`), each for the browser
that has sent it: a link with the name of an upload shows nobody else's picture.
"""

import hashlib
import re
import secrets
import threading
import time
from collections import OrderedDict

import streamlit as st

from cir.errors import UsageError
from cir.parallel import usable_memory
from cir.search.references import Reference, uploaded_reference

PREFIX = "up-"
MOST_SECONDS = 12 * 3600.0
MOST_OF_BROWSER = 20
_NAME = re.compile(PREFIX + r"[0-9a-f]{32}")
_BROWSER = "browser without a cookie"
_COOKIE = "_streamlit_xsrf"


class Uploads:
    """References by browser and name; bounded in bytes, in number for each browser, and in time.

    Those that have not been used for longest go first.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[tuple[str, str], tuple[Reference, float]] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, browser: str, name: str, reference: Reference) -> None:
        """Keep a reference, and let go of what is too much or too old."""
        with self._lock:
            self._kept[browser, name] = (reference, time.monotonic())
            self._kept.move_to_end((browser, name))
            self._let_go(browser)

    def find(self, browser: str, name: str) -> Reference | None:
        """The reference of this browser with this name, if it is kept."""
        with self._lock:
            self._let_go(browser)
            found, _ = self._kept.get((browser, name), (None, 0.0))
            if found is None:
                return None
            self._kept[browser, name] = (found, time.monotonic())
            self._kept.move_to_end((browser, name))
            return found

    def _let_go(self, browser: str) -> None:
        now = time.monotonic()
        for key, (_, since) in list(self._kept.items()):
            if now - since <= MOST_SECONDS:
                break  # from here on all were used later
            del self._kept[key]
        own = [key for key in self._kept if key[0] == browser]
        for key in own[:-MOST_OF_BROWSER]:
            del self._kept[key]
        while len(self._kept) > 1 and sum(map(_bytes, self._kept.values())) > self._most_bytes:
            self._kept.popitem(last=False)


UPLOADS = Uploads(max(2**24, min(2**28, usable_memory() // 16)))
"""Those of this server."""


def keep(name: str, data: bytes) -> str:
    """Keep an uploaded picture; gives what stands for it in the address.

    Raises:
        ImageError: it cannot be read as a picture.
    """
    reference = uploaded_reference(name, data)
    key = PREFIX + reference.content_hash
    UPLOADS.keep(_browser(), key, reference)
    return key


def is_upload(key: str) -> bool:
    """Whether this stands for an uploaded picture."""
    return _NAME.fullmatch(key) is not None


def find(key: str) -> Reference | None:
    """The uploaded picture that this stands for, where this browser has sent it."""
    return UPLOADS.find(_browser(), key)


def kept(key: str) -> Reference:
    """The uploaded picture that this stands for.

    Raises:
        UsageError: this browser has not sent it, or it is kept no longer.
    """
    found = find(key)
    if found is None:
        raise UsageError(
            "The reference of this link is a picture that was uploaded in another browser, or too "
            "long ago. Upload it again."
        )
    return found


def _browser() -> str:
    """What only this browser has: the secret in the cookie that Streamlit gives each of them.

    Where there is none, it is something of this session. The cookie's value is masked anew with
    each answer, and the secret in it stays.
    """
    from streamlit.web.server.starlette.starlette_app_utils import decode_xsrf_token_string

    cookie = st.context.cookies.get(_COOKIE, "")
    secret = decode_xsrf_token_string(cookie)[0] if cookie else None
    if secret:
        return hashlib.sha256(secret).hexdigest()
    own: str = st.session_state.setdefault(_BROWSER, secrets.token_hex())
    return own


def _bytes(kept: tuple[Reference, float]) -> int:
    width, height = kept[0].image.size
    return 3 * width * height
