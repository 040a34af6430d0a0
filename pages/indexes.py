"""Indexes: what there is to search in; building, updating and dropping."""

import streamlit as st

from cir.index_jobs import IndexJobs
from pages.common import (
    is_local,
    may_change,
    people_errors,
    session_settings,
    settings,
    started_by_app,
    store,
)
from pages.index_forms import show_new
from pages.index_list import show_list
from pages.index_manage import show_manage
from pages.index_progress import show_jobs


def show() -> None:
    """The page."""
    jobs = IndexJobs(session_settings(), store(), local=is_local())
    if not may_change():
        st.caption(_locked())
        show_list(store().list(), jobs)
        return
    show_jobs(jobs)
    infos = store().list()
    show_list(infos, jobs)
    if infos:
        show_manage(infos, jobs)
    show_new(jobs, first=not infos)


def _locked() -> str:
    if settings().admin_password is not None:
        return "To build, update or drop indexes, unlock this page: **Manage** in the sidebar."
    return "This Recompose is read-only: its indexes can be searched, not changed."


with people_errors():
    if started_by_app():
        show()
