"""The app around its pages: page configuration, the menu, the choice of the index.

Imports nothing heavy.
"""

from pathlib import Path
from typing import Any

import streamlit as st

STARTED_KEY = "started by the app"
DANGER = "danger"
"""What keys of buttons begin with that destroy something: they have a colour of their own."""
SEARCH, INDEXES, METRICS = "", "indexes", "metrics"
# Absolute: Streamlit takes a relative path from the main script's folder, and there are two of
# those, streamlit_app.py and cloud/streamlit_app.py.
_FOLDER = Path(__file__).resolve().parents[2]
SEARCH_FILE, INDEXES_FILE, METRICS_FILE = (
    str(_FOLDER / f"{name}.py") for name in ("search", "indexes", "metrics")
)

# Files of our own: for an icon of Streamlit's the browser would ask a foreign host.
_MARK, _LOGO = (str(Path(__file__).with_name(name)) for name in ("mark.svg", "logo.svg"))

# Less empty space above; text that Streamlit's own style makes too pale for WCAG AA, cuts off in a
# file uploader, or pushes out of a table on a phone; a focus that can be seen; and a colour for
# what destroys.
STYLE = """<style>
.stMainBlockContainer { padding-top: 4rem; }
.st-key-heading h1 { font-size: 1.75rem; padding: 0; }
[data-testid="stCaptionContainer"] { opacity: 0.8; }
[data-testid="stButtonGroup"] [aria-checked="true"] { color: inherit !important; }
[data-testid="stFileUploaderDropzoneInstructions"] * { white-space: normal !important; }
[data-testid="stSidebarNavLink"]:focus-visible, [data-testid="stElementToolbar"] :focus-visible {
  outline: 2px solid currentColor; outline-offset: -2px; }
[class*="st-key-danger"] button:enabled { color: light-dark(#b3261e, #ff8a80);
  border-color: currentColor; }
[class*="st-key-danger"] button[data-testid*="-primary"]:enabled {
  color: #fff; background: #b3261e; border-color: #b3261e; }
[class*="st-key-danger"] button[data-testid*="-primary"]:enabled:is(:hover, :focus-visible) {
  background: #8c1d18; border-color: #8c1d18; }
@media (max-width: 640px) {
  [data-testid="stTable"] :is(th, td) { padding: 0.3rem 0.15rem !important; }
  [data-testid="stTable"] :is(th, td) * { font-size: 0.75rem !important; }
}
</style>"""


def run_app() -> None:
    """Run the app: what a main script calls, and all that it does."""
    st.set_page_config(page_title="Recompose", page_icon=_MARK, layout="wide")
    st.logo(_LOGO, size="large", icon_image=_MARK)
    signed_out = st.user.get("is_logged_in") is False  # None where no sign-in is set up
    asked = navigation(hidden=signed_out)
    st.html(STYLE)
    if signed_out:
        from pages.parts.shell.sign_in import ask_to_sign_in

        ask_to_sign_in()
        return
    st.session_state[STARTED_KEY] = True
    with st.container(key="heading", horizontal=True, vertical_alignment="bottom", gap="small"):
        st.title(asked.title, width="content")
        place = st.empty()
    _show(asked, place)


def navigation(*, hidden: bool = False) -> Any:
    """The app's three pages; gives the one that is asked for. `hidden` leaves out the menu.

    Until this is called for the first time in a server, Streamlit takes a folder named pages for
    its older kind of app and shows each file of it in the menu: call it before anything slow.
    """
    return st.navigation(
        [
            st.Page(SEARCH_FILE, title="Search", icon=":material/search:", default=True),
            st.Page(INDEXES_FILE, title="Indexes", icon=":material/database:"),
            st.Page(METRICS_FILE, title="Metrics", icon=":material/monitoring:", url_path=METRICS),
        ],
        position="hidden" if hidden else "sidebar",
    )


def started_by_app() -> bool:
    """Whether the main script runs this page; if not, begin anew with it.

    A server whose very first visitor asks for a page by its address runs that page alone.
    """
    started = bool(st.session_state.get(STARTED_KEY))
    if not started:
        navigation()
        st.rerun()
    return started


def _show(page: Any, beside: Any) -> None:
    """What stands around a page, and the page; `beside` its title is a place for the index."""
    # Here: it takes a while, and the menu and the title are on screen before.
    from cir.errors import StoreAwayError
    from cir.store import patient
    from pages.parts.shell.session import (
        INDEX_KEY,
        note_page,
        offer_unlock,
        people_errors,
        pick_index,
        plain,
    )
    from pages.parts.shell.sign_in import offer_sign_out, require_known_sign_in

    known = reachable = away = False
    with people_errors():
        require_known_sign_in()
        known = True
        try:
            pick_index()
            reachable = True
            if page.url_path == SEARCH and (name := st.session_state.get(INDEX_KEY)):
                beside.markdown(f"in **{plain(name)}**")
        except StoreAwayError:
            away = page.url_path in {INDEXES, METRICS}
            if not away:
                raise
    if not known:
        return
    note_page(page.url_path)
    with people_errors():
        offer_unlock()
        offer_sign_out()
    # Runs, and jobs that wait for a server that is away, are there without Milvus. Other pages
    # could but say the same again.
    if away:
        with patient(0):  # it has just been waited for
            page.run()
    elif reachable or page.url_path == METRICS:
        page.run()
