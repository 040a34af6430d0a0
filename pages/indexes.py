"""Indexes: what there is to search in."""

import streamlit as st

from pages.common import people_errors, store


def show() -> None:
    """The page."""
    st.title("Indexes")
    infos = store().list()
    if infos:
        st.dataframe(
            [
                {
                    "Name": info.name,
                    "Images": info.count,
                    "State": info.state,
                    "Encoder": info.encoder,
                    "Source": info.source,
                    "Updated": info.updated,
                }
                for info in infos
            ],
            hide_index=True,
            alt="The indexes, a row each",
        )
    else:
        st.info("There is no index yet.", icon=":material/database:")
    st.markdown("Index a folder, or bring its index up to date, from the command line:")
    st.code("python -m cir index FOLDER --name NAME", language="shell")


with people_errors():
    show()
