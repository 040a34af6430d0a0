"""Connections to Milvus, and the sentences that stand in for its errors."""

import contextlib
import logging
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from cir.errors import StoreError, UsageError
from cir.store.consistency import Consistency, consistency_of

CONNECT_SECONDS = 8.0
"""Limit of opening a connection and of short calls."""
WORK_SECONDS = 120.0
"""Limit of a call that moves or compares many rows."""

_SCHEMES = ("http", "https", "tcp", "unix")
_COLLECTION_GONE = 100
_PROBLEMS = {
    ("auth check failure", "unauthenticated", "permission_denied", "permission deny"): (
        "refused the token. Set CIR_MILVUS_TOKEN to an API key or to user:password of an account "
        "that may read and write there."
    ),
    ("unimplemented", "failed parsing http"): (
        "does not answer as Milvus does. Check CIR_MILVUS_URI."
    ),
    ("not loaded", "notloaded", "no index found"): "had unloaded the index. Try again.",
    ("deadline",): "did not answer in time. Try again, or look at the server's load.",
    ("unavailable",): "cannot be reached. Check CIR_MILVUS_URI, and that the server runs.",
    ("timeout",): "did not answer in time. Try again, or look at the server's load.",
}
"""Signs in an error's text or in its cause's, and what they mean, the surest first."""


class Connection(ABC):
    """A way to one Milvus, opened by the first session and shared between threads.

    Attributes:
        place: what messages call it; holds no password.
        backend: "Milvus Lite", "Milvus server" or "Zilliz Cloud".
        is_lite: whether this is a Milvus Lite file.
        ready: collections known to be loaded since the connection was opened.
        consistency: what this process wrote there and has seen of it.
    """

    place: str
    backend: str
    is_lite: bool
    ready: set[str]
    consistency: Consistency

    @contextlib.contextmanager
    def session(self, index_name: str = "") -> Iterator[Any]:
        """A `pymilvus.MilvusClient` for a few calls, about an index where one is named.

        Raises:
            StoreError: opening or a call failed; the message is a sentence for people.
        """
        with self._client() as client, self._translated(index_name):
            yield client

    @abstractmethod
    def close(self) -> None:
        """Let go of the Milvus; the next session opens it again."""

    @abstractmethod
    def _client(self) -> contextlib.AbstractContextManager[Any]: ...

    def note_loaded(self, collection: str, seconds: float) -> None:
        """Note that a collection is loaded, which took so long."""
        self.ready.add(collection)

    def may_hold_anything(self) -> bool:
        """False where it is known without connecting that nothing is kept here."""
        return True

    def _lost(self) -> bool:
        """Whether the Milvus behind this connection is known to have ended."""
        return False

    @contextlib.contextmanager
    def _translated(self, index_name: str = "") -> Iterator[None]:
        import grpc
        from pymilvus.exceptions import MilvusException

        try:
            yield
        except (MilvusException, grpc.RpcError, grpc.FutureTimeoutError) as error:
            self.ready.clear()  # whatever happened, look again what is loaded
            raise StoreError(self._sentence(error, index_name)) from error

    def _sentence(self, error: BaseException, index_name: str) -> str:
        text = self._without_secrets(str(getattr(error, "message", "") or error)).strip()
        if getattr(error, "code", None) == _COLLECTION_GONE and index_name:
            return (
                f'The images of the index "{index_name}" are gone: {self.place} no longer holds '
                "its collection. Drop the index and make it again."
            )
        if self._lost():
            return f"{self.place} stopped in the middle of a request. Try again."
        # Behind "cannot connect" the cause tells a refused token from a silent server.
        every = f"{text} {error.__cause__ or ''}".lower()
        for signs, problem in _PROBLEMS.items():
            if any(sign in every for sign in signs):
                return f"{self.place} {problem}"
        return f"{self.place} refused the request: {(text.splitlines() or ['no reason'])[0][:300]}"

    def _without_secrets(self, text: str) -> str:
        return text


class ServerConnection(Connection):
    """A Milvus server or Zilliz Cloud."""

    def __init__(self, uri: str, token: str | None) -> None:
        """Cheap: connects when a session begins.

        Raises:
            UsageError: the URI cannot be one of a Milvus server.
        """
        self._uri = uri
        self._token = token or ""
        parts = _checked(uri)
        self._secrets = _secrets(parts, self._token)
        self.is_lite = False
        is_cloud = "zilliz" in (parts.hostname or "")
        self.backend = "Zilliz Cloud" if is_cloud else "Milvus server"
        self.place = f"{'Zilliz Cloud' if is_cloud else 'Milvus'} at {_shown(parts)}"
        self.ready = set()
        self.consistency = consistency_of(self.place)
        self._opened: Any = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """End the connection; the next session connects again."""
        with self._lock:
            client, self._opened = self._opened, None
            self.ready.clear()
        if client is not None:
            client.close()

    @contextlib.contextmanager
    def _client(self) -> Iterator[Any]:
        with self._lock:
            if self._opened is None:
                client_class = milvus_client_class()
                with self._translated():
                    self._opened = client_class(
                        uri=self._uri, token=self._token, timeout=CONNECT_SECONDS
                    )
            client = self._opened
        yield client

    def _without_secrets(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):  # the longer hold the shorter
            text = text.replace(secret, "***")
        return text


def milvus_client_class() -> Any:
    """`pymilvus.MilvusClient`, with the library's own logging of failed calls silenced.

    pymilvus logs a traceback for every failed call; the sentence of `StoreError` replaces it.
    """
    from pymilvus import MilvusClient

    logging.getLogger("pymilvus").setLevel(logging.CRITICAL + 1)
    return MilvusClient


def is_server_uri(uri: str) -> bool:
    """Whether a URI names a server rather than a Milvus Lite file.

    Raises:
        UsageError: it looks like a server's address without its scheme, which may hold a password:
            as a file it would be made under that name, and every message would repeat it.
    """
    if "://" in uri or uri.startswith("unix:"):
        return True
    if _NO_SCHEME.search(uri):
        raise UsageError(
            "The Milvus URI looks like a server's address without http:// or https:// before it. "
            f"{_SOMETHING_LIKE}"
        )
    return False


# user:password@host, name@host:port, host:port, ?token=...; also after "//" or "http:".
_NO_SCHEME = re.compile(
    r"""^(?:[A-Za-z][\w+.-]+:/?|//)?(?:
        [^/\\]*:[^/\\]*@
        | (?: [^/\\@]+@[^/\\]+ | [\w.-]+ | \[[\da-f:.]+\] ):\d+(?:[/?#]|$)
    ) | [?&](?:token|password|passwd|pwd|user|api_?key)=""",
    re.VERBOSE | re.IGNORECASE,
)


def _secrets(parts: SplitResult, token: str) -> set[str]:
    """What a message must not repeat: the token and what in the address may be one."""
    _, _, password = token.partition(":")
    # A lone name before "@" is an API key.
    named = [
        parts.password or parts.username or "",
        *(value for _, value in parse_qsl(parts.query)),
    ]
    found = {token, password, parts.query, *named, *map(unquote, named)}
    return found - {""}


def _checked(uri: str) -> SplitResult:
    try:
        parts = urlsplit(uri)
        valid = parts.port is None or parts.port > 0
    except ValueError:
        # The error is not chained: its text holds the URI, maybe with a password.
        raise UsageError(_BAD_URI) from None
    if not valid or parts.scheme not in _SCHEMES or not (parts.hostname or parts.scheme == "unix"):
        raise UsageError(_BAD_URI)
    return parts


def _shown(parts: SplitResult) -> str:
    if parts.scheme == "unix":
        return f"unix:{parts.path}"
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path.rstrip('/')}"


_SOMETHING_LIKE = (
    "Set CIR_MILVUS_URI to something like http://localhost:19530, to the https:// endpoint of "
    "Zilliz Cloud, or to a file's path."
)
_BAD_URI = f"The Milvus URI is not one of a server. {_SOMETHING_LIKE}"
