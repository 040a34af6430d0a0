"""AppTest as a running server behaves."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.runtime.pages_manager import PagesManager

from cir.jobs.background import JOBS
from tests.pages.anew import start_anew
from tests.places import REPOSITORY

SECONDS = 60


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The data folder of an app that starts anew, without an index; its jobs end with the test."""
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setenv("CIR_DATA_DIR", str(tmp_path / "data"))
    start_anew()
    yield tmp_path / "data"
    for job in JOBS.all():
        job.cancel()
        job.wait(SECONDS)
        JOBS.forget(job.key)
    start_anew()


@pytest.fixture(autouse=True)
def _one_kind_of_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every run begin with streamlit_app.py.

    AppTest forgets before each run that the app calls `st.navigation`, which a server remembers,
    and then takes the folder `pages` for the older kind of app: it would run a page alone.
    """
    begin = PagesManager.__init__

    def remembering(self: PagesManager, *arguments: Any, **options: Any) -> None:
        begin(self, *arguments, **options)
        PagesManager.uses_pages_directory = False

    monkeypatch.setattr(PagesManager, "__init__", remembering)
