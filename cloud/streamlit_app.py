"""The dashboard on Streamlit Community Cloud, which takes the requirements beside this file."""

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parent.parent)
if ROOT not in sys.path:  # this file runs anew at every change on a page
    sys.path.insert(0, ROOT)

from pages.parts.shell.navigation import run_app  # noqa: E402

run_app()
