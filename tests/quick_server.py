"""A Milvus that starts in a blink, behind a proxy: the server part of Milvus Lite, over TCP.

It stands in for a server where a test is about the way to it, not about what it does.
"""

import fcntl
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cir.store.lite_server import library_folder
from tests.tcp_proxy import TcpProxy, tcp_proxy

START_SECONDS = 30.0


@contextmanager
def quick_server() -> Iterator[TcpProxy]:
    """The proxy before it; `uri` of that is what a store takes."""
    with tempfile.TemporaryDirectory(prefix="quick-") as name:
        folder, library = Path(name), library_folder()
        lock = (folder / "lock").open("ab")
        fcntl.lockf(lock, fcntl.LOCK_EX)  # it ends when it gets this lock
        process = subprocess.Popen(
            [library / "milvus", folder / "lite.db", f"unix:{folder}/s", "ERROR", folder / "lock"],
            env={**os.environ, "LD_LIBRARY_PATH": str(library), "HOME": name, "GLOG_log_dir": name},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
        )
        try:
            deadline = time.monotonic() + START_SECONDS
            while not (folder / "s").exists() and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(0.1)  # between making its socket and listening there, it refuses
            with tcp_proxy(str(folder / "s")) as proxy:
                yield proxy
        finally:
            process.kill()
            process.wait()
            lock.close()
