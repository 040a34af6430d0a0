"""What a newcomer sees while there is no index."""

import functools
from dataclasses import replace
from pathlib import Path

import streamlit as st

from cir.jobs.background import Job
from cir.jobs.indexes import IndexJobs
from cir.progress import Progress
from cir.sample.building import SAMPLE_NAME
from cir.store import index_store
from pages.parts.shell.navigation import INDEXES_FILE
from pages.parts.shell.session import is_local, may_change, plain, session_settings, settings, store
from pages.parts.shell.watching import rerun_on_change

REFRESH_SECONDS = 0.5
_PICTURE = Path(__file__).with_name("welcome.webp")  # by docs/make_pictures.py


def welcome() -> None:
    """What this is, in one sentence and one picture, and one button to begin with."""
    st.markdown(
        "Recompose finds images by a picture and a sentence: **this shirt, but in red**. There is "
        "nothing to search in yet."
    )
    st.image(_PICTURE, width=560, alt="A blue dotted shirt and the words “in red” find a red one")
    jobs = _jobs()
    job = jobs.get(SAMPLE_NAME) if jobs else None
    if jobs is None:
        st.info("The owner of this server has not indexed any images yet.")
    elif job is not None and job.running:
        _watch(job)
    elif not may_change() and job is None:
        # A public host that wakes up with an empty disk has something to show by itself.
        _watch(jobs.build_sample())
    else:
        _offer(jobs, job)


def _jobs() -> IndexJobs | None:
    """Who builds the sample: the session where it may; else the server, in a file of its own."""
    if may_change():
        return IndexJobs(session_settings(), store(), is_local())
    if not store().is_lite:
        return None
    return _server_jobs()


@functools.cache
def _server_jobs() -> IndexJobs:
    own = replace(settings(), read_only=False)
    return IndexJobs(own, index_store(own), local=True)


def _offer(jobs: IndexJobs, job: Job | None) -> None:
    rerun_on_change(lambda: _state(jobs))
    if job is not None and job.state == "failed":
        st.error(plain(job.error), icon=":material/error:")
    if st.button("Build the sample catalogue", type="primary", icon=":material/checkroom:"):
        jobs.build_sample()
        st.rerun()
    st.caption(  # measured: 25 and 34 s with other work going on
        "399 drawn garments, made on this machine in about half a minute on two cores. Nothing is "
        "downloaded."
    )
    if may_change():
        st.page_link(INDEXES_FILE, label="Or index your own images", icon=":material/database:")


def _state(jobs: IndexJobs) -> tuple[float, str] | None:
    job = jobs.get(SAMPLE_NAME)
    return None if job is None else (job.started, job.state)


def _watch(job: Job) -> None:
    st.fragment(_show, run_every=REFRESH_SECONDS)(job)


def _show(job: Job) -> None:
    if not job.running:
        st.rerun(scope="app")
    progress = job.progress or Progress("Starting")
    st.progress(progress.share, text=plain(str(progress)))
