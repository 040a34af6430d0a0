"""The dashboard: page configuration, navigation, and the choice of the index."""

import streamlit as st

from pages.common import STARTED_KEY, navigation, offer_unlock, people_errors, pick_index

st.set_page_config(page_title="Recompose", page_icon=":material/image_search:", layout="wide")

# Less empty space above, and captions dark enough to read (Streamlit's own miss WCAG AA).
STYLE = """<style>
.stMainBlockContainer { padding-top: 4rem; }
[data-testid="stCaptionContainer"] { opacity: 0.8; }
</style>"""

st.html(STYLE)
st.session_state[STARTED_KEY] = True
page = navigation()
st.title(page.title)  # on screen before Milvus is looked for
with people_errors():
    pick_index()
    offer_unlock()
page.run()
