"""Indexes: what there is to search in; building, updating and dropping."""

import streamlit as st

from cir.jobs.indexes import IndexJobs
from pages.parts.indexes.encoders import show_encoders
from pages.parts.indexes.forms import show_new
from pages.parts.indexes.list import show_list
from pages.parts.indexes.manage import show_manage
from pages.parts.indexes.progress import show_jobs
from pages.parts.shell.navigation import started_by_app
from pages.parts.shell.session import (
    is_local,
    may_change,
    people_errors,
    session_settings,
    store,
    why_locked,
)


def show() -> None:
    """The page."""
    jobs = IndexJobs(session_settings(), store(), local=is_local())
    if not may_change():
        st.caption(
            why_locked("build, update or drop indexes", "its indexes can be searched, not changed")
        )
        show_list(store().list(), jobs)
        show_encoders()
        return
    show_jobs(jobs)
    infos = store().list()
    show_list(infos, jobs)
    if infos:
        show_manage(infos, jobs)
    show_new(jobs, first=not infos)
    show_encoders()


with people_errors():
    if started_by_app():
        show()
