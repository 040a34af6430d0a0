"""Connections to Milvus, and the sentences that stand in for its errors."""

import contextlib
import functools
import logging
import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from cir.errors import StoreAwayError, StoreError, UsageError
from cir.store.consistency import Consistency, consistency_of

CONNECT_SECONDS = 8.0
"""Limit of opening a connection and of short calls."""
WORK_SECONDS = 120.0
"""Limit of a call that moves or compares many rows."""

PATIENCE_SECONDS = 5.0
"""How long a call waits for a server that has gone away, where `patient` says nothing else."""

_SCHEMES = ("http", "https", "tcp", "unix")
_COLLECTION_GONE = 100


@dataclass(frozen=True)
class _Problem:
    """What signs in an error's text or its cause's mean; `passes`: it may be over in a moment."""

    sentence: str
    signs: tuple[str, ...]
    passes: bool = False


_NOT_LOADED = ("not loaded", "notloaded", "no index found")
_TOO_SLOW = "did not answer in time. Try again, or look at the server's load."
_PROBLEMS = (  # the surest first
    _Problem(
        "refused the token. Set CIR_MILVUS_TOKEN to an API key or to user:password of an account "
        "that may read and write there.",
        ("auth check failure", "unauthenticated", "permission_denied", "permission deny"),
    ),
    _Problem(
        "does not answer as Milvus does. Check CIR_MILVUS_URI.",
        ("unimplemented", "failed parsing http"),
    ),
    _Problem("had unloaded the index. Try again.", _NOT_LOADED, True),
    _Problem(_TOO_SLOW, ("deadline",), True),
    _Problem(
        "cannot be reached. Check CIR_MILVUS_URI, and that the server runs.",
        ("unavailable",),
        True,
    ),
    _Problem(_TOO_SLOW, ("timeout",), True),
)


@dataclass(frozen=True)
class _Patience:
    seconds: float
    on_wait: Callable[[str], None] | None = None


_patience: ContextVar[_Patience | None] = ContextVar("patience", default=None)


@contextlib.contextmanager
def patient(seconds: float, on_wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Within, calls of this thread wait `seconds` for a server that goes away, then go on.

    `on_wait` hears twice a second what is waited for; what it raises ends the waiting.
    """
    token = _patience.set(_Patience(seconds, on_wait))
    try:
        yield
    finally:
        _patience.reset(token)


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
        try:
            yield
        except milvus_errors() as error:
            self.ready.clear()  # whatever happened, look again what is loaded
            problem = self._problem(error)
            kind = StoreAwayError if problem and problem.passes and not self._lost() else StoreError
            raise kind(self._sentence(error, index_name)) from error

    def _sentence(self, error: BaseException, index_name: str) -> str:
        text = self._without_secrets(str(getattr(error, "message", "") or error)).strip()
        if getattr(error, "code", None) == _COLLECTION_GONE and index_name:
            return (
                f'The images of the index "{index_name}" are gone: {self.place} no longer holds '
                "its collection. If it was rebuilt just now, open it again. Drop the index and "
                "make it again where that does not help."
            )
        if self._lost():
            return f"{self.place} stopped in the middle of a request. Try again."
        problem = self._problem(error)
        if problem is not None:
            return f"{self.place} {problem.sentence}"
        return f"{self.place} refused the request: {(text.splitlines() or ['no reason'])[0][:300]}"

    def _problem(self, error: BaseException) -> _Problem | None:
        # Behind "cannot connect" the cause tells a refused token from a silent server.
        text = f"{getattr(error, 'message', '') or error} {error.__cause__ or ''}".lower()
        return next((each for each in _PROBLEMS if any(sign in text for sign in each.signs)), None)

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
                        uri=self._uri,
                        token=self._token,
                        timeout=CONNECT_SECONDS,
                        # Else a new channel waits with those that failed, up to two minutes.
                        grpc_options={"grpc.use_local_subchannel_pool": 1},
                    )
            client = self._opened
        yield _PatientClient(client, self)

    def _without_secrets(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):  # the longer hold the shorter
            text = text.replace(secret, "***")
        return text


class _PatientClient:
    """A client whose calls, where repeating does no harm, wait for a server that has gone away.

    A server that has never answered is not waited for: its address may be wrong.
    """

    _READS = frozenset({"describe_collection", "has_collection", "list_indexes", "query", "search"})
    _REPEATABLE = _READS | {"delete", "load_collection", "upsert"}
    _FIRST_WAIT, _LONGEST_WAIT, _TELL_SECONDS = 0.1, 3.0, 0.5

    def __init__(self, client: Any, connection: ServerConnection) -> None:
        self._client = client
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        return functools.partial(self._repeated, call) if name in self._REPEATABLE else call

    def _repeated(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        patience = _patience.get() or _Patience(PATIENCE_SECONDS)
        wait, deadline = self._FIRST_WAIT, 0.0
        while True:
            try:
                return call(*arguments, **options)
            except milvus_errors() as error:
                problem = self._connection._problem(error)
                deadline = deadline or time.monotonic() + patience.seconds
                left = deadline - time.monotonic()
                if not (problem and problem.passes) or left <= 0:
                    raise
            self._sleep(min(wait, left), patience.on_wait)
            if problem.signs == _NOT_LOADED:  # so says one that has just started
                with contextlib.suppress(*milvus_errors()):
                    self._client.load_collection(arguments[0], timeout=WORK_SECONDS)
            wait = min(2 * wait, self._LONGEST_WAIT)

    def _sleep(self, seconds: float, on_wait: Callable[[str], None] | None) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if on_wait is not None:
                on_wait(self._connection.place)
            time.sleep(min(left, self._TELL_SECONDS))


def milvus_errors() -> tuple[type[Exception], ...]:
    """What a call of pymilvus raises where Milvus fails."""
    import grpc
    from pymilvus.exceptions import MilvusException

    return MilvusException, grpc.RpcError, grpc.FutureTimeoutError


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
