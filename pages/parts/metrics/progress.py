"""The evaluation that is running, and how the last one ended."""

from pathlib import Path

import streamlit as st

from cir.errors import Words
from cir.jobs.background import JOBS, Job
from cir.progress import Progress
from eval.errors import BenchWayOut
from eval.runs.reading import Run
from pages.parts.shell.session import may_change, plain
from pages.parts.shell.watching import rerun_on_change

KEY = "evaluation"
"""Of the one evaluation that runs at a time."""

CHOSEN = "metrics_chosen"
"""Names of the runs that are shown, in the session's state."""

_WATCHED = "metrics_watched"
_MISSING = "count them as never found with “Count absent images as never found”."
WORDS: Words = {
    BenchWayOut.ALLOW_MISSING: f"Check the folder, mend the set, or {_MISSING}",
    BenchWayOut.KEEP_REFERENCE: "Mend the qrels, keep the reference with “Leave the reference "
    f"image in the ranking”, or {_MISSING}",
    BenchWayOut.SEARCH_A_FOLDER: "Run the labelled set over a folder of images.",
    BenchWayOut.PICK_THE_SPLIT: "Search a folder of images: those of the split are picked from it.",
    BenchWayOut.INDEX_S_ENCODER: "Choose another index, or make one with that encoder.",
    BenchWayOut.OTHER_SPLIT: "Choose one under “Split”.",
    BenchWayOut.REGISTER_AGAIN: "Register the set again, or search a folder of images.",
    BenchWayOut.RUN_ABLATIONS: "Tick the comparison in a new run.",
    BenchWayOut.MEASURE_IT: "Name it under “Further measures” in a new run.",
}
"""The ways out of errors as widgets of this page."""


def watch(job: Job) -> None:
    """Remember that this session waits for the job, to show its run at the end."""
    st.session_state[_WATCHED] = job.started


def is_running() -> bool:
    """Whether an evaluation goes on."""
    job = JOBS.get(KEY)
    return job is not None and job.running


def show_job() -> None:
    """Progress of the running evaluation, or a sentence about how the last one ended."""
    job = JOBS.get(KEY)
    if job is not None and job.running:
        watch(job)
        _running()
        return
    rerun_on_change(_state)
    if job is None:
        return
    if job.state == "done":
        _done(job)
    elif may_change():
        _ended(job)


def _state() -> tuple[float, str] | None:
    job = JOBS.get(KEY)
    return None if job is None else (job.started, job.state)


@st.fragment(run_every=1.0)
def _running() -> None:
    job = JOBS.get(KEY)
    if job is None or not job.running:
        st.rerun()
    with st.container(border=True):
        st.markdown(f"**{plain(job.title)}**")
        progress = Progress("Stopping at the next step") if job.stopping else job.progress
        progress = progress or Progress("Starting")
        st.progress(progress.share, plain(str(progress)))
        if may_change():
            st.button(
                "Cancel",
                icon=":material/close:",
                disabled=job.stopping,
                on_click=job.cancel,
                key="metrics_cancel",
            )


def _done(job: Job) -> None:
    if st.session_state.get(_WATCHED) != job.started:
        return
    del st.session_state[_WATCHED]
    name = Path(job.result["run"]).name
    st.session_state[CHOSEN] = [name]
    st.success(f"The run {plain(name)} is finished.", icon=":material/check_circle:")


def _ended(job: Job) -> None:
    with st.container(border=True):
        if job.state == "cancelled":
            st.info("The evaluation was cancelled; no run was kept.", icon=":material/cancel:")
        else:
            error = job.error if job.cause is None else job.cause.worded(WORDS)
            st.error(plain(error), icon=":material/error:")
        st.button("Dismiss", on_click=JOBS.forget, args=(KEY,), key="metrics_dismiss")


def rows_of(names: list[str]) -> list[int]:
    """Places of the chosen runs among these names; the first while none is chosen."""
    chosen: list[str] = st.session_state.get(CHOSEN, [])
    return [names.index(name) for name in chosen if name in names] or [0]


def choose(runs: list[Run]) -> None:
    """Remember which runs are shown."""
    st.session_state[CHOSEN] = [run.name for run in runs]
