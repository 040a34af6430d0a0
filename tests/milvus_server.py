"""A real Milvus server for tests: the PyPI package `milvus`, on free ports, ended afterwards."""

import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

START_SECONDS = 120.0
_PORTS = (
    "proxy_port",
    "proxy_internal_port",
    "root_coord_port",
    "query_coord_port",
    "query_node_port",
    "index_coord_port",
    "index_node_port",
    "data_coord_port",
    "data_node_port",
)
# The port of health checks is picked by the package itself, from 9091 up.
_COMMAND = """
import socket, sys
from milvus import MilvusServer, MilvusServerConfig
def free(config, port):  # also where one that was killed has just been
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        one.bind(("127.0.0.1", port))
        one.listen()
    except OSError:
        return None
    return one
MilvusServerConfig.try_bind_port = free
folder, authorize, *ports = sys.argv[1:]
server = MilvusServer(MilvusServerConfig(data_dir=folder), wait_for_started=True)
server.config.set("authorization_enabled", authorize == "yes")
for name, port in (pair.split("=") for pair in ports):
    server.config.configs[name] = int(port)
server.start()
print("ready", flush=True)
server.server_proc.wait()
"""


@dataclass
class MilvusServer:
    """A server: its URI, the token that it wants (None for none), its folder and ports."""

    uri: str
    token: str | None
    _folder: Path
    _ports: dict[str, int]
    _process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start it, or start it again with what it held, and wait until it is ready."""
        with (self._folder / "log").open("wb") as log:
            authorize = "yes" if self.token else "no"
            pairs = [f"{name}={port}" for name, port in self._ports.items()]
            self._process = subprocess.Popen(
                [sys.executable, "-c", _COMMAND, str(self._folder), authorize, *pairs],
                env={**os.environ, "ETCD_CONFIG_PATH": str(self._folder / "etcd.yaml")},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        _await_ready(self._process, self._folder)

    def kill(self) -> None:
        """End it without warning."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


@contextlib.contextmanager
def milvus_server(*, authorize: bool = False) -> Iterator[MilvusServer]:
    """Start a server in a new folder and end it afterwards, however the body ends.

    With `authorize`, only the account `root` with Milvus's default password may use it.
    Takes about 9 seconds and 460 MB. Skips the test where the package is not installed, and fails
    instead where CI=true.
    """
    if importlib.util.find_spec("milvus") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("the PyPI package milvus is not installed, and CI runs every test")
        pytest.skip("the PyPI package milvus is not installed")
    with tempfile.TemporaryDirectory(prefix="milvus-test-", ignore_cleanup_errors=True) as name:
        server = _prepared(Path(name), authorize)
        try:
            server.start()
            yield server
        finally:
            server.kill()


def _prepared(folder: Path, authorize: bool) -> MilvusServer:
    ports = _free_ports(len(_PORTS) + 2)
    client, peer = ports.pop(), ports.pop()
    # The embedded etcd takes its ports from nowhere else.
    (folder / "etcd.yaml").write_text(
        f"listen-client-urls: http://127.0.0.1:{client}\n"
        f"advertise-client-urls: http://127.0.0.1:{client}\n"
        f"listen-peer-urls: http://127.0.0.1:{peer}\n"
        f"initial-advertise-peer-urls: http://127.0.0.1:{peer}\n"
        f"initial-cluster: default=http://127.0.0.1:{peer}\n"
    )
    token = "root:Milvus" if authorize else None
    named = dict(zip(_PORTS, ports, strict=True))
    return MilvusServer(f"http://127.0.0.1:{ports[0]}", token, folder, named)


def _await_ready(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    log = folder / "log"
    while "ready" not in log.read_text(errors="replace"):
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(
                f"the Milvus server did not start: {log.read_text(errors='replace')[-800:]}"
            )
        time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()
