"""What `serve` makes of its options; tests/browser starts it."""

import os
import sys
from typing import Any

import pytest
from typer.testing import CliRunner

from cir.cli.app import app
from cir.settings import APP_FOLDER

NAMES = ("CIR_MILVUS_URI", "CIR_MILVUS_TOKEN")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    """The commands, with their environments, that this process becomes."""
    calls: list[tuple[list[str], dict[str, str]]] = []

    def become(_: str, command: list[str], environment: dict[str, str]) -> None:
        calls.append((command, environment))

    monkeypatch.setattr(os, "execve", become)
    monkeypatch.delenv("STREAMLIT_SERVER_ADDRESS", raising=False)
    return calls


def test_it_is_for_this_machine_alone_unless_told_otherwise(
    started: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    CliRunner().invoke(app, ["serve"])
    CliRunner().invoke(app, ["serve", "--address", "0.0.0.0", "--port", "80"])
    monkeypatch.setenv("STREAMLIT_SERVER_ADDRESS", "::1")
    CliRunner().invoke(app, ["serve", "--server.baseUrlPath", "shop"])
    run = [sys.executable, "-P", "-m", "streamlit", "run", str(APP_FOLDER / "streamlit_app.py")]
    assert [command for command, _ in started] == [
        [*run, "--server.address", "127.0.0.1"],
        [*run, "--server.address", "0.0.0.0", "--server.port", "80"],
        [*run, "--server.address", "::1", "--server.baseUrlPath", "shop"],
    ]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], ("e", "e")),
        (["--uri", "f"], ("f", None)),
        (["--uri", "f", "--token", "f"], ("f", "f")),
        (["--token", "-"], ("e", "typed")),
    ],
)
def test_milvus_is_named_as_for_other_commands(
    started: Any,
    monkeypatch: pytest.MonkeyPatch,
    flags: list[str],
    expected: tuple[str | None, str | None],
) -> None:
    for name in NAMES:
        monkeypatch.setenv(name, "e")
    CliRunner().invoke(app, ["serve", *flags], input="typed\n")
    [(command, environment)] = started
    assert tuple(map(environment.get, NAMES)) == expected
    assert not {"f", "typed"} & set(command)  # other users of the machine can read it
