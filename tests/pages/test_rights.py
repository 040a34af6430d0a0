"""The table of docs/hosting.md: what a page offers to strangers, and to those who may manage."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.parts.shell.session import UNLOCKED_KEY
from tests.places import REPOSITORY

SECONDS = 60
LOCKS = (
    {"CIR_READ_ONLY": "1"},
    {"CIR_ADMIN_PASSWORD": "sesame"},
    {"CIR_ADMIN_EMAILS": "ada@example.org"},
)


def offers(page: str, *, unlocked: bool = False) -> tuple[set[str], set[str]]:
    """The labels of a page's buttons and of its uploaders."""
    app = AppTest.from_file(str(REPOSITORY / "streamlit_app.py"), default_timeout=SECONDS)
    app.session_state[UNLOCKED_KEY] = unlocked
    app.run().switch_page(f"pages/{page}.py").run()
    assert not app.exception
    return {each.label for each in app.button}, {each.label for each in app.file_uploader}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: next(iter(lock)))
def test_a_stranger_is_offered_no_change(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, lock: dict[str, str]
) -> None:
    for name, value in lock.items():
        monkeypatch.setenv(name, value)
    key = {"Unlock"} if "CIR_ADMIN_PASSWORD" in lock else set()
    assert offers("indexes") == (key, set())
    assert offers("metrics") == (key, {"Run"}), "a run of one's own may be opened"


def test_who_has_unlocked_may_change_also_where_it_is_read_only(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIR_READ_ONLY", "1")
    monkeypatch.setenv("CIR_ADMIN_PASSWORD", "sesame")
    buttons, uploaders = offers("indexes", unlocked=True)
    assert {"Build the index", "Lock"} <= buttons
    assert uploaders == {"Metadata file (optional)"}
    assert "Run the sample" in offers("metrics", unlocked=True)[0]
