"""The dashboard: `streamlit run streamlit_app.py`."""

from pages.navigation import run_app

run_app()
