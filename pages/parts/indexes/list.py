"""The list of indexes on the Indexes page."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import streamlit as st

from cir.indexing.uploads import upload_folder
from cir.jobs.indexes import IndexJobs
from cir.store import IndexInfo
from cir.store.exactness import exactness
from cir.words import size
from pages.parts.shell.session import may_change, plain

DATE = "D MMM YYYY, HH:mm"
_SEARCHES_HELP = (
    "Exact: a search compares the query with every image. Recall: the share of the 20 nearest that "
    "searches for images of the index found, on average and at worst."
)
NAME_WIDTH = 150  # pixels: most names, and on a phone a second column beside it


def show_list(infos: Sequence[IndexInfo], jobs: IndexJobs) -> None:
    """Every index, a row each, and where they are kept."""
    if not infos:
        st.info(_nothing(), icon=":material/database:")
        return
    zone = st.context.timezone
    st.dataframe(
        [_row(info, jobs) for info in infos],
        hide_index=True,
        column_config={
            "Name": st.column_config.TextColumn(pinned=True, width=NAME_WIDTH),
            "Images": st.column_config.NumberColumn(format="localized"),
            "Searches": st.column_config.TextColumn(help=_SEARCHES_HELP),
            "Created": st.column_config.DatetimeColumn(format=DATE, timezone=zone),
            "Updated": st.column_config.DatetimeColumn(format=DATE, timezone=zone),
        },
        alt="The indexes, a row each",
    )
    held = jobs.file_bytes()
    kept = "" if held is None else f": {size(held)} in all"
    st.caption(f"Kept in {plain(jobs.store.backend)}{kept}.")


def source_of(info: IndexInfo, jobs: IndexJobs) -> str:
    """Where the images came from, for people; a stranger does not learn the server's folders."""
    if info.source is None:
        return "unknown"
    if upload_folder(info.source, jobs.settings.data_dir) is not None:
        return "uploaded images"
    return info.source if may_change() else Path(info.source).name


def state_of(info: IndexInfo, jobs: IndexJobs) -> str:
    """Whether the index is whole, for people."""
    if jobs.is_running(info.name):
        return "being worked on"
    return "ready" if info.state == "ready" else "incomplete"


def _row(info: IndexInfo, jobs: IndexJobs) -> dict[str, Any]:
    images = jobs.count(info)
    return {
        "Name": info.name,
        "Images": images,
        "State": state_of(info, jobs),
        "Searches": exactness(info, jobs.store.backend, images),
        "Encoder": info.encoder,
        "Source": source_of(info, jobs),
        "Updated": datetime.fromisoformat(info.updated),
        "Created": datetime.fromisoformat(info.created),
    }


def _nothing() -> str:
    if may_change():
        return "There is no index yet. Make the first one below, from a folder or from your images."
    return "There is no index yet."
