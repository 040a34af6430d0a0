"""AppTest as a running server behaves."""

from typing import Any

import pytest
from streamlit.runtime.pages_manager import PagesManager


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
