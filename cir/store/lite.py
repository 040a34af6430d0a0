"""Milvus Lite: one file, opened late, shared by the stores of a process, released when idle."""

import atexit
import contextlib
import errno
import functools
import importlib.util
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from cir.errors import StoreBusyError, StoreError, UsageError
from cir.store.connection import CONNECT_SECONDS, Connection, milvus_client_class
from cir.store.consistency import consistency_of

_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_MAX_TEMPORARY_PATH = 70


class LiteServer:
    """The running server part of an open file, with the locks that keep others out.

    The server binary of milvus-lite is started here and not by milvus-lite's own manager, because
    that one lets the binary write to standard output, waits half a second at every start, lets
    Ctrl-C end it, and deletes the lock of another process when it fails to get it, which lets two
    servers open one file. The lock it uses is taken too, so programs that use milvus-lite directly
    are seen.
    """

    def __init__(self, path: Path, locks: "Locks") -> None:
        self._locks = locks
        try:
            _sweep_temporary()
            self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_socket_root()))
            self._owner = _own(self._folder)
        except OSError as error:
            locks.release()
            raise StoreError(_no_temporary(error)) from error
        self._log = self._folder / "log"
        try:
            self._process = self._start(path)
            self.client = self._connect(path)
        except BaseException as error:
            self.stop()
            if isinstance(error, OSError):
                raise StoreError(_no_temporary(error)) from error
            raise

    client: Any = None
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def mark(self) -> int:
        """The place that the log has come to."""
        with contextlib.suppress(OSError):
            return self._log.stat().st_size
        return 0

    def found_disk_full(self, since: int) -> bool:
        """Whether the server logged, since a mark, that the disk is full."""
        if self.mark() == since:
            return False
        with self._log.open("rb") as log:
            log.seek(since)
            return _DISK_FULL in log.read()

    def kill(self) -> None:
        """End the server at once; the next session starts another."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """End the server, then give up the file, in this order."""
        if self.client is not None:
            with contextlib.suppress(Exception):  # a dead server must not keep the locks
                self.client.close()
        self._locks.signal_end()
        if self._process is not None:
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._locks.release()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._owner.close()

    def _start(self, path: Path) -> "subprocess.Popen[bytes]":
        library = library_folder()
        variable = "LD_LIBRARY_PATH"
        search = os.pathsep.join(filter(None, [str(library), os.environ.get(variable)]))
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [
                    library / "milvus",
                    path,
                    f"unix:{self._folder}/s",
                    "ERROR",
                    self._locks.lite_path,
                ],
                env={
                    **os.environ,
                    variable: search,
                    "DYLD_LIBRARY_PATH": str(library),
                    "GLOG_log_dir": str(self._folder),
                    # It keeps scratch files there, and fails where it cannot.
                    "HOME": str(self._folder),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=path.parent,
                pass_fds=[self._locks.held_fd],
                process_group=0,
            )

    def _connect(self, path: Path) -> Any:
        """A client of the server, which needs a moment before it listens."""
        from pymilvus import MilvusException

        client_class = milvus_client_class()
        deadline = time.monotonic() + _START_SECONDS
        while self.alive and time.monotonic() < deadline:
            if (self._folder / "s").exists():
                # Between making its socket and listening there, the server refuses.
                with contextlib.suppress(MilvusException):
                    return client_class(
                        uri=f"unix:{self._folder}/s", timeout=CONNECT_SECONDS, dedicated=True
                    )
            time.sleep(0.005)
        if self.found_disk_full(0):
            raise StoreError(_disk_full(path))
        raise StoreError(
            f"Milvus Lite cannot open {path}: {self._last_line()} "
            "If the file is damaged, restore a copy or move it away and index again."
        )

    def _last_line(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        errors = [line.rsplit("]", 1)[-1].strip() for line in lines if "errs:" in line]
        return f"{(errors or ['its server part did not start'])[0]}."


class Locks:
    """What keeps a second process from opening the file.

    `.NAME.lock` is milvus-lite's own: the server ends when this process lets go of it, also by
    dying. `.NAME.held` is inherited by the server, so that a file whose owner was killed stays
    closed to others until the owner's server has ended as well. `.NAME.wanted` is there while
    another process waits; who has waited takes it away, and so does who gets the file, so that one
    left behind by a process that died costs its reader no more than one release.
    """

    def __init__(self, path: Path) -> None:
        self.lite_path = path.parent / f".{path.name}.lock"
        self._wanted = _wanted(path)
        self._held: IO[bytes] = _open_lock(path.parent / f".{path.name}.held")
        self._lite: IO[bytes] | None = None

    @property
    def held_fd(self) -> int:
        return self._held.fileno()

    def take(self) -> bool:
        """Whether both locks are ours now."""
        import fcntl

        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._lite = _open_lock(self.lite_path)
            fcntl.lockf(self._lite, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._drop_lite()
            fcntl.flock(self._held, fcntl.LOCK_UN)
            if error.errno in (errno.EAGAIN, errno.EACCES):
                return False
            raise StoreError(no_access(self.lite_path, error)) from error
        return True

    def ask(self) -> None:
        """Ask the process that has the file to let go of it when it is idle."""
        with contextlib.suppress(OSError):  # then it does so in its own time
            self._wanted.touch()

    def ask_no_more(self) -> None:
        """Take the request back; others who wait repeat theirs."""
        with contextlib.suppress(OSError):
            self._wanted.unlink()

    def signal_end(self) -> None:
        """Tell the server to end."""
        self._drop_lite()

    def release(self) -> None:
        import fcntl

        self._drop_lite()
        # Explicitly, because a forked child may hold a copy of the descriptor.
        fcntl.flock(self._held, fcntl.LOCK_UN)
        self._held.close()

    def _drop_lite(self) -> None:
        if self._lite is not None:
            self._lite.close()
            self._lite = None


def _wanted(path: Path) -> Path:
    return path.parent / f".{path.name}.wanted"


def _open_lock(path: Path) -> IO[bytes]:
    try:
        return path.open("ab")
    except OSError as error:
        raise StoreError(no_access(path, error)) from error


def no_access(path: Path, error: OSError) -> str:
    return (
        f"{path} cannot be opened for writing ({error.strerror or error}). "
        "Choose a place that this user may write: CIR_DATA_DIR, or a path in CIR_MILVUS_URI."
    )


def _disk_full(path: Path) -> str:
    return (
        f"The disk that holds {path} is full; what was to be written is not kept. "
        "Make room, then try again."
    )


def _no_temporary(error: OSError) -> str:
    return (
        f"Milvus Lite needs the temporary folder {tempfile.gettempdir()}, which cannot be written "
        f"({error.strerror or error}). Make room there, or set TMPDIR to another folder."
    )


def library_folder() -> Path:
    """Folder of milvus-lite's server binary; the package itself is never imported."""
    spec = importlib.util.find_spec("milvus_lite")
    for root in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(root) / "lib"
        if (folder / "milvus").is_file():
            return folder
    raise StoreError(
        "A local index needs milvus-lite 2.5.1 (Linux or macOS), which is not installed. "
        'Run "pip install milvus-lite==2.5.1", or set CIR_MILVUS_URI to a Milvus server.'
    )


def _socket_root() -> str | None:
    """A short folder for sockets where the usual temporary folder's path is too long for one."""
    return None if len(tempfile.gettempdir()) < _MAX_TEMPORARY_PATH else "/tmp"


def _own(folder: Path) -> IO[bytes]:
    """What says, as long as it is open, that the owner of a temporary folder lives."""
    import fcntl

    owner = (folder / "new").open("ab")
    fcntl.flock(owner, fcntl.LOCK_EX)
    (folder / "new").rename(folder / _OWNER)  # from here on it is looked at
    return owner


def _sweep_temporary() -> None:
    """Remove the temporary folders of processes that were killed."""
    import fcntl

    for marker in Path(_socket_root() or tempfile.gettempdir()).glob(f"{_PREFIX}*/{_OWNER}"):
        with contextlib.suppress(OSError), marker.open("ab") as owner:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(marker.parent, ignore_errors=True)


_PREFIX, _OWNER = "cir-", "owner"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,36}")
_SQLITE = b"SQLite format 3\0"
_META_TABLE = "collection_meta"
_POLL_SECONDS = 0.1
_LOOK_SECONDS = 0.5
_LOADS = 200
_MOST_SECONDS = 3_600.0
_DISK_FULL = b"disk is full"
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
            raise StoreError(_disk_full(self._file.path))
        server = self._file.server
        since = server.mark() if server is not None else 0
        try:
            result = call(*args, **options)
        except Exception as error:
            self._check(server, since, error)
            raise
        self._check(server, since, None)
        return result

    def _check(self, server: LiteServer | None, since: int, error: Exception | None) -> None:
        # The log may be on the same disk, and lack the line for which there was no room.
        if server is not None and (server.found_disk_full(since) or self._room() < _ROOM_BYTES):
            server.kill()
            raise StoreError(_disk_full(self._file.path)) from error

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
        return idle >= kept or _wanted(self.path).exists()

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
