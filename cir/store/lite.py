"""Milvus Lite: one file, opened late, shared by the stores of a process, released when idle."""

import atexit
import contextlib
import os
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cir.errors import StoreBusyError, StoreError, UsageError
from cir.store.connection import Connection
from cir.store.lite_server import LiteServer, Locks, library_folder, no_access

_NAME = re.compile(r"[A-Za-z0-9._-]{1,36}")
_SQLITE = b"SQLite format 3\0"
_META_TABLE = "collection_meta"
_POLL_SECONDS = 0.1


class LiteConnection(Connection):
    """A store's way to a Milvus Lite file; stores of one process share the open file."""

    def __init__(self, path: Path, *, idle_seconds: float, wait_seconds: float) -> None:
        """Cheap: opens the file when a session begins.

        Raises:
            UsageError: the file's name is not one that Milvus Lite takes.
        """
        if not _NAME.fullmatch(path.name):
            raise UsageError(
                f'A Milvus Lite file cannot be named "{path.name}": use at most 36 of '
                'A-Z a-z 0-9 "." "_" "-".'
            )
        self.path = path
        self.place = f"Milvus Lite ({path})"
        self.backend = "Milvus Lite"
        self.is_lite = True
        self.caught_up = set()
        self._idle_seconds = idle_seconds
        self._wait_seconds = wait_seconds

    @property
    def ready(self) -> set[str]:  # type: ignore[override]
        """Collections known to be loaded since the file was opened."""
        return _shared(self.path).ready

    def close(self) -> None:
        """Release the file, unless another thread is using it."""
        _shared(self.path).release_if_idle()

    @contextlib.contextmanager
    def _client(self) -> Iterator[Any]:
        file = _shared(self.path)
        client = file.acquire(self._wait_seconds)
        try:
            yield client
        finally:
            file.leave(self._idle_seconds)

    def may_hold_anything(self) -> bool:
        """Whether there is a file: a newcomer's first page must not wait for a server to start."""
        return self.path.exists()

    def _lost(self) -> bool:
        return not _shared(self.path).alive


class _LiteFile:
    """One Milvus Lite file of this process: who uses it, and when to let it go."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ready: set[str] = set()
        self._condition = threading.Condition()
        self._users = 0
        self._release_at = 0.0
        self._reaper: threading.Thread | None = None
        self._server: LiteServer | None = None

    @property
    def alive(self) -> bool:
        server = self._server
        return server is not None and server.alive

    def acquire(self, wait_seconds: float) -> Any:
        """The client of the open file; `leave` must follow."""
        with self._condition:
            if self._server is not None and not self._server.alive:
                self._close()
            if self._server is None:
                self._server = _open(self.path, wait_seconds)
            self._users += 1
            return self._server.client

    def leave(self, idle_seconds: float) -> None:
        with self._condition:
            self._users -= 1
            self._release_at = time.monotonic() + idle_seconds
            if self._users == 0 and self._reaper is None:
                self._reaper = threading.Thread(
                    target=self._reap, name=f"release {self.path.name}", daemon=True
                )
                self._reaper.start()

    def release_if_idle(self) -> None:
        with self._condition:
            if self._users == 0:
                self._close()
                self._condition.notify_all()

    def _reap(self) -> None:
        with self._condition:
            while self._server is not None:
                left = self._release_at - time.monotonic()
                if self._users == 0 and left <= 0:
                    self._close()
                else:
                    # A busy file is looked at again a moment after its deadline.
                    self._condition.wait(max(left, 0.05))
            self._reaper = None

    def _close(self) -> None:
        server, self._server = self._server, None
        self.ready.clear()
        if server is not None:
            server.stop()


_files: dict[Path, _LiteFile] = {}
_files_lock = threading.Lock()


def _shared(path: Path) -> _LiteFile:
    with _files_lock:
        if path not in _files:
            _files[path] = _LiteFile(path)
        return _files[path]


def _release_files() -> None:
    for file in list(_files.values()):
        file.release_if_idle()


def _forget_files() -> None:
    """In a forked child: the open files belong to the parent."""
    _files.clear()
    if _files_lock.locked():
        _files_lock.release()


atexit.register(_release_files)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_files)


def _open(path: Path, wait_seconds: float) -> LiteServer:
    library_folder()
    _check_file(path)
    locks = Locks(path)
    deadline = time.monotonic() + wait_seconds
    while not locks.take():
        if time.monotonic() >= deadline:
            locks.release()
            raise StoreBusyError(
                f"Another process holds the Milvus Lite file {path}. Wait until it is done or "
                "end it; to share indexes between processes, run a Milvus server and set "
                "CIR_MILVUS_URI to it."
            )
        time.sleep(_POLL_SECONDS)
    try:
        _check_tables(path)
    except BaseException:
        locks.release()
        raise
    return LiteServer(path, locks)


def _check_file(path: Path) -> None:
    """Make the folder; refuse a file that is no database before any lock or server touches it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            return
        if path.is_dir():
            raise StoreError(f"{path} is a folder, not a Milvus Lite file. Name a file.")
        with path.open("r+b") as file:
            head = file.read(len(_SQLITE))
    except OSError as error:
        raise StoreError(no_access(path, error)) from error
    if head and head != _SQLITE:
        raise StoreError(_foreign(path))


def _check_tables(path: Path) -> None:
    """Refuse the database of another program, which Milvus Lite would write its tables into."""
    if not path.exists() or not path.stat().st_size:
        return
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    except sqlite3.Error as error:
        raise StoreError(_foreign(path)) from error
    if tables and _META_TABLE not in tables:
        raise StoreError(_foreign(path))


def _foreign(path: Path) -> str:
    return (
        f"{path} is not a Milvus Lite file, or it is damaged; it was left as it is. "
        "Name another file, restore a copy, or move this one away and index again."
    )
