"""Streamlit's server as the app needs it: what uploads may bring, and an end in order.

Streamlit keeps in memory what is sent to a session, whether or not a widget has asked for it, until
the session ends: who sends files at will must meet a bound.
"""

import re
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit import runtime

from cir.indexing.uploads import MAX_BYTES, MAX_FILES
from cir.parallel import usable_memory

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

SESSION_BYTES = 2 * MAX_BYTES
"""Of one session: a zip, and the table or the reference image beside it."""
SESSION_FILES = 2 * MAX_FILES
MEBIBYTE = 2**20
_ENDPOINT = re.compile(r"/_stcore/upload_file/(?P<session>[^/]+)/[^/]+$")


def megabytes(limit: int) -> int:
    """The `max_upload_size` of a file uploader for a limit in bytes; no more than the server takes.

    The server's own limit (`server.maxUploadSize`) counts what is sent around a file as well.
    """
    taken: int = st.get_option("server.maxUploadSize")
    return max(1, min(limit // MEBIBYTE, taken - 1))


def all_bytes() -> int:
    """What all sessions together may hold: a quarter of the memory, and one large upload at least.

    A gigabyte at most, however large the machine.
    """
    return max(MAX_BYTES + MEBIBYTE, min(2**30, usable_memory() // 4))


class UploadBound:
    """ASGI middleware that refuses a file where a session, or all, would hold too much."""

    def __init__(self, app: "ASGIApp", total: int | None = None) -> None:
        self._app = app
        self._total = all_bytes() if total is None else total
        self._underway: Counter[str] = Counter()  # bytes of each session that are being sent

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Pass a request on, or answer 411 (no length), 413 or 507 (too much) without reading."""
        match = _ENDPOINT.search(scope["path"]) if scope["type"] == "http" else None
        if match is None or scope["method"] != "PUT":
            await self._app(scope, receive, send)
            return
        session, length = match["session"], _length(scope)
        status = 411 if length is None else self._refusal(session, length)
        if length is None or status:
            await _answer(send, status)
            return
        self._underway[session] += length
        try:
            await self._app(scope, receive, send)
        finally:
            self._underway[session] -= length
            if not self._underway[session]:
                del self._underway[session]

    def _refusal(self, session: str, length: int) -> int:
        """The status of a refusal; 0 where there is none."""
        sizes = _held()
        own = sizes.get(session, [])
        if len(own) >= SESSION_FILES:
            return 413
        if sum(own) + self._underway[session] + length > SESSION_BYTES + MEBIBYTE:
            return 413
        held = sum(map(sum, sizes.values())) + self._underway.total()
        return 507 if held + length > self._total else 0


def _held() -> dict[str, list[int]]:
    """Sizes of the files that Streamlit holds, by session."""
    manager = runtime.get_instance().uploaded_file_mgr
    kept: dict[str, dict[str, Any]] = getattr(manager, "file_storage", {})
    # Copies: the threads of scripts remove files meanwhile.
    return {
        session: [len(file.data) for file in list(files.values())]
        for session, files in list(kept.items())
    }


def _length(scope: "Scope") -> int | None:
    """Bytes of the body; None where they come in pieces, whatever a length beside them says."""
    headers = dict(scope["headers"])
    text = headers.get(b"content-length", b"")
    return int(text) if text.isdigit() and b"transfer-encoding" not in headers else None


async def _answer(send: "Send", status: int) -> None:
    body = b"Too much is held here already."
    headers = [
        (b"content-type", b"text/plain"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def ending_in_order(_app: Any) -> AsyncIterator[None]:
    """The server's life: a signal that has ended it does not end the process as well.

    uvicorn raises the signal anew when it is done, and SIGTERM would pass over what is registered
    with `atexit`, which lets go of Milvus Lite.
    """
    yield
    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
