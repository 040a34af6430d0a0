"""Name and note of a run on the metrics page."""

import streamlit as st

from eval.runs.naming import annotate_run, rename_run
from eval.runs.reading import MAX_NOTE, Run
from pages.parts.metrics.progress import CHOSEN
from pages.parts.shell.session import may_change, people_errors, session_settings


def offer_naming(run: Run) -> None:
    """A form for another name and a note, where this session may change runs."""
    if run.folder is None or not may_change():
        return
    with st.expander("Name and note", icon=":material/edit_note:"), people_errors():
        name = run.folder.name
        with st.form(f"metrics_naming {name}", border=False):
            new = st.text_input("Name of this run", name, max_chars=100)
            note = st.text_area(
                "Note",
                run.note,
                max_chars=MAX_NOTE,
                help="What was tried, and what came of it; it stands beside the figures and in "
                "the list of runs.",
            )
            saved = st.form_submit_button("Save", icon=":material/save:")
        if saved:
            annotate_run(name, note, session_settings())
            renamed = rename_run(name, new, session_settings())
            chosen: list[str] = st.session_state.get(CHOSEN, [])
            st.session_state[CHOSEN] = [renamed if each == run.name else each for each in chosen]
            st.rerun()
