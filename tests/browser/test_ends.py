"""How the server ends."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.app import running_app, server_of
from tests.browser.stranger import stranger

SECONDS = 15.0


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder for temporary files; its path is short, since sockets lie in it."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
def test_a_signal_ends_the_server_in_order_while_people_look(
    data_dir: Path, scratch: Path, tmp_path: Path, how: signal.Signals
) -> None:
    with running_app(data_dir, tmp_path / "log", {"TMPDIR": str(scratch)}) as address:
        with stranger(address) as session:
            session.run()
            assert list(scratch.glob("cir-*")), "Milvus Lite is open"
            os.kill(server_of(address), how)
            end = time.monotonic() + SECONDS
            while list(scratch.glob("cir-*")) and time.monotonic() < end:
                time.sleep(0.1)
        assert not list(scratch.glob("cir-*")), "what Milvus Lite was given is taken back"
    assert "Aborted" not in (tmp_path / "log").read_text()
