"""The dashboard: page configuration, navigation, and the choice of the index."""

import streamlit as st

from pages.common import offer_unlock, people_errors, pick_index

st.set_page_config(page_title="Recompose", page_icon=":material/image_search:", layout="wide")

page = st.navigation(
    [
        st.Page("pages/search.py", title="Search", icon=":material/search:", default=True),
        st.Page("pages/indexes.py", title="Indexes", icon=":material/database:"),
        st.Page("pages/metrics.py", title="Metrics", icon=":material/monitoring:"),
    ]
)
with people_errors():
    pick_index()
    offer_unlock()
page.run()
