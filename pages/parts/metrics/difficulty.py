"""The queries of a run as all runs of its set see them: a filter of the list, and what it tells."""

from collections.abc import Mapping, Sequence

import streamlit as st

from cir.errors import UsageError
from eval.comparison.difficulty import Difficulty, QueryDifficulty, difficulty, systems_of
from eval.comparison.paired import Contender
from eval.measures import heading
from eval.runs.reading import Run, list_runs
from pages.parts.metrics.progress import WORDS
from pages.parts.shell.session import plain, settings

_KINDS = {
    "hard": "Missed by every run",
    "separating": "Separate the runs",
    "doubtful": "Labels worth a second look",
}


def pick_difficulty(run: Run) -> Mapping[str, QueryDifficulty] | None:
    """The queries to list, in their order, of all runs of the set; None for no choice."""
    if run.folder is None:
        return None
    kind = st.selectbox(
        "Over all runs of the set",
        [None, *_KINDS],
        format_func=lambda each: "All" if each is None else _KINDS[each],
        help="Missed: none finds a target. Separate: strong runs find one, weak ones do not. "
        "Second look: what is ranked contradicts the labels.",
        key="metrics_difficulty",
    )
    if kind is None:
        return None
    kept = list_runs(settings().runs_dir)[0]
    # Names and dates: a run is not changed once it is there.
    key = repr([run.name, *((each.name, each.date, each.queries) for each in kept)])
    try:
        found = _difficulty(run, kept, key)
    except UsageError as error:
        st.info(plain(f"Nothing to look at: {error.worded(WORDS)}"), icon=":material/info:")
        return None
    queries = {"hard": found.hard, "separating": found.separating, "doubtful": found.doubtful}
    st.caption(
        plain(
            f"{len(found.contenders)} runs, {heading(found.measure)}. {' '.join(found.notes)}"
        ).strip()
    )
    return {query.id: query for query in queries[kind]()}


def difficulty_cells(query: QueryDifficulty) -> dict[str, str | int | float | None]:
    """What the list says of a query beside its rank in the run."""
    apart = query.separates
    return {
        "All runs": round(query.mean, 3),
        "Separates": None if apart is None else round(apart, 2),
    }


def show_doubts(query: QueryDifficulty) -> None:
    """Why the labels of a query are worth a second look."""
    for words in query.doubts:
        st.markdown(f":material/flag: {plain(words[0].upper() + words[1:])}.")


@st.cache_data(show_spinner="Looking at all runs", max_entries=4)
def _difficulty(_run: Run, _kept: Sequence[Run], key: str) -> Difficulty:
    return difficulty(systems_of(Contender(_run), _kept))
