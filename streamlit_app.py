"""The dashboard: page configuration, navigation, and the choice of the index."""

from typing import Any

import streamlit as st

from pages.parts.shell.navigation import METRICS, STARTED_KEY, navigation

# Less empty space above; text that Streamlit's own style makes too pale for WCAG AA, cuts off in a
# file uploader, or pushes out of a table on a phone; and a focus that can be seen.
STYLE = """<style>
.stMainBlockContainer { padding-top: 4rem; }
[data-testid="stCaptionContainer"] { opacity: 0.8; }
[data-testid="stButtonGroup"] [aria-checked="true"] { color: inherit !important; }
[data-testid="stFileUploaderDropzoneInstructions"] * { white-space: normal !important; }
[data-testid="stSidebarNavLink"]:focus-visible, [data-testid="stElementToolbar"] :focus-visible {
  outline: 2px solid currentColor; outline-offset: -2px; }
@media (max-width: 640px) {
  [data-testid="stTable"] :is(th, td) { padding: 0.3rem 0.15rem !important; }
  [data-testid="stTable"] :is(th, td) * { font-size: 0.75rem !important; }
}
</style>"""


def show(page: Any) -> None:
    """What stands around a page, and the page."""
    # Here: it takes a while, and the menu and the title are on screen before.
    from pages.parts.shell.session import offer_unlock, people_errors, pick_index

    reachable = False
    with people_errors():
        pick_index()
        reachable = True
    with people_errors():
        offer_unlock()
    # The others could but say the same again; runs are there without Milvus.
    if reachable or page.url_path == METRICS:
        page.run()


st.set_page_config(page_title="Recompose", page_icon=":material/image_search:", layout="wide")
asked = navigation()
st.html(STYLE)
st.session_state[STARTED_KEY] = True
st.title(asked.title)
show(asked)
