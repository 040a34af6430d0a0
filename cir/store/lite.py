"""Milvus Lite: one file, opened late, shared by the stores of a process, released when idle."""

import atexit
import contextlib
import functools
import os
import re
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cir.errors import StoreBusyError, StoreError, UsageError
from cir.store.connection import Connection
from cir.store.consistency import consistency_of
from cir.store.lite_server import (
    LiteServer,
    Locks,
    disk_full,
    library_folder,
    no_access,
    request_file,
)

_NAME = re.compile(r"[A-Za-z0-9._-]{1,36}")
_SQLITE = b"SQLite format 3\0"
_META_TABLE = "collection_meta"
_POLL_SECONDS = 0.1
_LOOK_SECONDS = 0.5
_LOADS = 200
_MOST_SECONDS = 3_600.0
_ROW_LOAD_SECONDS = 2e-5  # of 768 numbers, as measured from 20,000 to 300,000 rows
_ROOM_BYTES = 2**19


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
        self.consistency = consistency_of(self.place)
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
            yield _WritingClient(client, file)
        finally:
            file.leave(self._idle_seconds)

    def may_hold_anything(self) -> bool:
        """Whether there is a file: a newcomer's first page must not wait for a server to start."""
        return self.path.exists()

    def note_loaded(self, collection: str, seconds: float) -> None:
        """Note that a collection is loaded, and what loading it again would cost."""
        _shared(self.path).note_loaded(collection, seconds)

    def _lost(self) -> bool:
        return not _shared(self.path).alive


class _WritingClient:
    """A client whose writes fail on a full disk.

    Milvus Lite acknowledges what it could not write, and keeps it in memory until it ends: the next
    update would take it for done. So its server ends at once, and what it has not written with it.
    """

    _ADDS = frozenset({"create_collection", "create_index", "upsert"})
    _WRITES = _ADDS | {"delete", "drop_collection", "drop_index"}

    def __init__(self, client: Any, file: "_LiteFile") -> None:
        self._client = client
        self._file = file

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        return functools.partial(self._write, name, call) if name in self._WRITES else call

    def _write(self, name: str, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        if name in self._ADDS and self._room() < _ROOM_BYTES:
            raise StoreError(disk_full(self._file.path))
        server = self._file.server
        since = server.mark() if server is not None else 0
        try:
            result = call(*args, **options)
        except Exception as error:
            self._check(server, since, error)
            raise
        self._check(server, since, None)
        if name == "upsert":
            self._file.note_written(len(args[1]))
        return result

    def _check(self, server: LiteServer | None, since: int, error: Exception | None) -> None:
        # The log may be on the same disk, and lack the line for which there was no room.
        if server is not None and (server.found_disk_full(since) or self._room() < _ROOM_BYTES):
            server.kill()
            raise StoreError(disk_full(self._file.path)) from error

    def _room(self) -> int:
        return shutil.disk_usage(self._file.path.parent).free


class _LiteFile:
    """One Milvus Lite file of this process: who uses it, and when to let it go.

    An idle file is let go when another process asks for it, and in any case after 200 times as long
    as loading took, at most an hour: 7 minutes where it took 2 s.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ready: set[str] = set()
        self._condition = threading.Condition()
        self._users = 0
        self._left_at = 0.0
        self._idle_seconds = 0.0
        self._load_seconds = 0.0
        self._reaper: threading.Thread | None = None
        self._server: LiteServer | None = None

    @property
    def server(self) -> LiteServer | None:
        return self._server

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
                self._load_seconds = 0.0
            self._users += 1
            return self._server.client

    def note_loaded(self, collection: str, seconds: float) -> None:
        with self._condition:
            self.ready.add(collection)
            self._load_seconds += seconds

    def note_written(self, rows: int) -> None:
        """Note that rows came, which take their time when they are loaded again."""
        with self._condition:
            self._load_seconds += rows * _ROW_LOAD_SECONDS

    def leave(self, idle_seconds: float) -> None:
        """`idle_seconds`: how long to keep it from others who ask for it."""
        with self._condition:
            self._users -= 1
            self._left_at = time.monotonic()
            self._idle_seconds = idle_seconds
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
                if self._users == 0 and self._is_over(time.monotonic() - self._left_at):
                    self._close()
                else:
                    self._condition.wait(max(0.05, min(_LOOK_SECONDS, self._idle_seconds)))
            self._reaper = None

    def _is_over(self, idle: float) -> bool:
        """Whether a file that has been idle for so many seconds is let go."""
        if idle < self._idle_seconds:
            return False
        kept = min(_LOADS * self._load_seconds, _MOST_SECONDS)
        return idle >= kept or request_file(self.path).exists()

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
    try:
        while not locks.take():
            if time.monotonic() >= deadline:
                raise StoreBusyError(
                    f"Another process holds the Milvus Lite file {path}. Wait until it is done or "
                    "end it; to share indexes between processes, run a Milvus server and set "
                    "CIR_MILVUS_URI to it."
                )
            locks.ask()
            time.sleep(_POLL_SECONDS)
        _check_tables(path)
    except BaseException:
        locks.release()
        raise
    finally:
        locks.ask_no_more()
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
