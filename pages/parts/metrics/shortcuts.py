"""The shortcut audit of a run on the metrics page: which queries need picture and sentence."""

import streamlit as st

from eval.runs.ranks import RankTable
from eval.runs.reading import Run
from eval.runs.shortcuts import SOLVERS, USUAL_K, audit, solvers
from pages.parts.metrics.charts import shares_chart
from pages.parts.shell.session import plain

KEY = "metrics_shortcut_k"
_CUTOFFS = (1, 5, 10, 50)
_MOST_GROUPS = 30  # that a chart shows
_HELP = (
    "A query is solved when a target stands among the first k images. One that the image alone or "
    "the text alone solves does not test composing."
)


def cutoff() -> int:
    """Up to which rank a target solves a query, as somebody has chosen it."""
    value: int = st.session_state.get(KEY, USUAL_K)
    return value


def show_shortcuts(run: Run, table: RankTable) -> None:
    """What solves the queries, as words, a table and bars; nothing without ablations."""
    if not solvers(table):
        return
    st.header("Shortcuts")
    k = st.selectbox(
        "Solved within the first",
        [each for each in _CUTOFFS if each <= table.depth],
        index=_CUTOFFS.index(USUAL_K) if table.depth >= USUAL_K else 0,
        help=_HELP,
        width=320,
        key=KEY,
    )
    found = audit([run], k=k)
    first, *others = found.words()
    st.markdown(f"**{first}** {' '.join(others)}")
    rows = {"All queries": found.counts, **found.groups}
    named = {
        group: {SOLVERS[solver]: count for solver, count in counts.items()}
        for group, counts in rows.items()
    }
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.table(
            [{"Solved by": plain(group)} | counts for group, counts in named.items()],
            hide_index=True,
            border="horizontal",
            alt="Numbers of queries by group, a column for what solves them",
        )
    with right:
        st.altair_chart(
            shares_chart(dict(list(named.items())[:_MOST_GROUPS])),
            alt="Shares of queries by what solves them, a bar a group; the table has the numbers",
        )
