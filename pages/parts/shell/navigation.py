"""The app's pages and their menu; imports nothing heavy."""

from typing import Any

import streamlit as st

STARTED_KEY = "started by the app"
METRICS = "metrics"
SEARCH_FILE, METRICS_FILE = "pages/search.py", "pages/metrics.py"


def navigation() -> Any:
    """The app's three pages; gives the one that is asked for.

    Until this is called for the first time in a server, Streamlit takes a folder named pages for
    its older kind of app and shows each file of it in the menu: call it before anything slow.
    """
    return st.navigation(
        [
            st.Page(SEARCH_FILE, title="Search", icon=":material/search:", default=True),
            st.Page("pages/indexes.py", title="Indexes", icon=":material/database:"),
            st.Page(METRICS_FILE, title="Metrics", icon=":material/monitoring:", url_path=METRICS),
        ]
    )


def started_by_app() -> bool:
    """Whether streamlit_app.py runs this page; if not, begin anew with it.

    A server whose very first visitor asks for a page by its address runs that page alone.
    """
    started = bool(st.session_state.get(STARTED_KEY))
    if not started:
        navigation()
        st.rerun()
    return started
