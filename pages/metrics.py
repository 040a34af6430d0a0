"""Metrics: the figures of evaluation runs."""

import streamlit as st

from pages.common import people_errors, settings


def show() -> None:
    """The page."""
    from eval.runs import list_runs

    st.title("Metrics")
    runs = list_runs(settings().runs_dir)
    if runs:
        st.dataframe(
            [
                {
                    "Run": run["name"],
                    "Set": run["set"],
                    "Encoder": run["encoder"],
                    "Queries": run["queries"],
                    **run["metrics"],
                }
                for run in runs
            ],
            hide_index=True,
            alt="The runs, a row each, with recall at k and MRR",
        )
    else:
        st.info("There is no run yet.", icon=":material/monitoring:")
    st.markdown("Run a labelled set from the command line:")
    st.code("python -m eval run --set FOLDER --gallery FOLDER --ablations", language="shell")


with people_errors():
    show()
