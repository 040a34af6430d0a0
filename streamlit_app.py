"""The dashboard: `streamlit run streamlit_app.py`."""

from pages.parts.shell.navigation import run_app

run_app()
