"""What the widgets for uploads say is what the server takes."""

import ast
import tomllib
from pathlib import Path

import pytest
import streamlit as st

import cir.images
import cir.indexing.uploads
import eval.runs.reading
import eval.sets.own
from pages.parts.shell.server import megabytes
from tests.places import REPOSITORY

LIMITS = {
    cir.images.MAX_BYTES,
    cir.indexing.uploads.MAX_BYTES,
    cir.indexing.uploads.MAX_TABLE_BYTES,
    eval.runs.reading.MAX_BYTES,
    eval.sets.own.MAX_BYTES,
}
CONFIG = REPOSITORY / ".streamlit" / "config.toml"


def widgets() -> list[tuple[str, ast.Call]]:
    """Every call of a widget that takes files, with where it stands."""
    found = []
    for path in sorted(REPOSITORY.joinpath("pages").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                takes = {keyword.arg for keyword in node.keywords}
                if node.func.attr == "file_uploader" or "accept_file" in takes:
                    found.append((f"{path.relative_to(REPOSITORY)}:{node.lineno}", node))
    return found


@pytest.mark.parametrize("call", [pytest.param(call, id=place) for place, call in widgets()])
def test_every_uploader_names_a_limit_that_the_server_knows(call: ast.Call) -> None:
    limits = [each.value for each in call.keywords if each.arg == "max_upload_size"]
    assert limits, "without one, the widget promises what server.maxUploadSize says"
    [limit] = limits
    assert isinstance(limit, ast.Call)
    assert ast.unparse(limit.func) == "megabytes"


def test_the_server_takes_the_largest_upload_and_what_is_sent_around_it() -> None:
    taken = tomllib.loads(CONFIG.read_text())["server"]["maxUploadSize"]
    assert taken == max(LIMITS) // 2**20 + 1


@pytest.mark.parametrize(("server", "promised"), [(201, 200), (1000, 200), (50, 49), (1, 1)])
def test_a_server_that_takes_less_makes_the_widgets_say_so(
    monkeypatch: pytest.MonkeyPatch, server: int, promised: int
) -> None:
    monkeypatch.setattr(st, "get_option", {"server.maxUploadSize": server}.__getitem__)
    assert megabytes(200 * 2**20) == promised


def test_the_page_on_limits_names_them() -> None:
    words = " ".join(Path(REPOSITORY / "docs" / "limits.md").read_text().split())
    assert "Uploads in the dashboard: 100 MB an image, 200 MB a zip" in words
