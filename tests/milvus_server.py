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
import sys
from milvus import MilvusServer, MilvusServerConfig
folder, authorize, *ports = sys.argv[1:]
server = MilvusServer(MilvusServerConfig(data_dir=folder), wait_for_started=True)
server.config.set("authorization_enabled", authorize == "yes")
for name, port in (pair.split("=") for pair in ports):
    server.config.configs[name] = int(port)
server.start()
print("ready", flush=True)
server.server_proc.wait()
"""


@dataclass(frozen=True)
class MilvusServer:
    """A running server: its URI, and the token that it wants (None for none)."""

    uri: str
    token: str | None


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
        folder = Path(name)
        port, process = _start(folder, authorize)
        try:
            _await_ready(process, folder)
            token = "root:Milvus" if authorize else None
            yield MilvusServer(f"http://127.0.0.1:{port}", token)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _start(folder: Path, authorize: bool) -> tuple[int, "subprocess.Popen[bytes]"]:
    ports = _free_ports(len(_PORTS) + 2)
    client, peer = ports.pop(), ports.pop()
    etcd = folder / "etcd.yaml"
    # The embedded etcd takes its ports from nowhere else.
    etcd.write_text(
        f"listen-client-urls: http://127.0.0.1:{client}\n"
        f"advertise-client-urls: http://127.0.0.1:{client}\n"
        f"listen-peer-urls: http://127.0.0.1:{peer}\n"
        f"initial-advertise-peer-urls: http://127.0.0.1:{peer}\n"
        f"initial-cluster: default=http://127.0.0.1:{peer}\n"
    )
    pairs = [f"{name}={port}" for name, port in zip(_PORTS, ports, strict=True)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, str(folder), "yes" if authorize else "no", *pairs],
            env={**os.environ, "ETCD_CONFIG_PATH": str(etcd)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    return ports[0], process


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
