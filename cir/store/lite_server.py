"""The server part of Milvus Lite as a process of ours, and the locks of its file."""

import contextlib
import errno
import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, Any

from cir.errors import StoreError
from cir.store.connection import CONNECT_SECONDS, milvus_client_class

_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_MAX_TEMPORARY_PATH = 70
_PREFIX, _OWNER = "cir-", "owner"
_DISK_FULL = b"disk is full"


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
            raise StoreError(disk_full(path))
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
        self._wanted = request_file(path)
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


def request_file(path: Path) -> Path:
    """The file by which another process asks for the Lite file."""
    return path.parent / f".{path.name}.wanted"


def _open_lock(path: Path) -> IO[bytes]:
    try:
        return path.open("ab")
    except OSError as error:
        raise StoreError(no_access(path, error)) from error


def no_access(path: Path, error: OSError) -> str:
    """What to say of a file that cannot be opened."""
    return (
        f"{path} cannot be opened for writing ({error.strerror or error}). "
        "Choose a place that this user may write: CIR_DATA_DIR, or a path in CIR_MILVUS_URI."
    )


def disk_full(path: Path) -> str:
    """What to say where a Lite file has no room."""
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
