"""What can be taken away of a search: files of its results, its link, the same in other words."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import streamlit as st

from cir.encoders.protocol import Encoder
from cir.search import is_nothing_close, search, usual_scores
from cir.search.exports import contact_sheet, images_zip, results_csv, search_document
from cir.search.repeating import python_lines, shell_line
from cir.store import Hit, MilvusIndex
from pages.parts.search import asked as state
from pages.parts.search import uploads
from pages.parts.search.asked import Asked
from pages.parts.shell.session import is_local, people_errors, plain, session_settings

if TYPE_CHECKING:
    from pages.parts.search.menu import Shown

CHOOSING = "choose results"
MOST = 1_000
_CHOSEN, _ALL = "The chosen ones", "The first results"


def choose_box(hit: Hit, rank: int) -> None:
    """The box under a result that can be taken away alone."""
    st.checkbox(f"Take result {rank}", key=_box(hit.id))


def _box(key: str) -> str:
    return f"take {key}"


def _chosen() -> list[str]:
    """Ids of the results that are ticked, on whichever batch they stand."""
    if not st.session_state.get(CHOOSING):
        return []
    begin = _box("")
    return [
        name.removeprefix(begin)
        for name, ticked in st.session_state.items()
        if isinstance(name, str) and name.startswith(begin) and ticked is True
    ]


@st.dialog("Take away", width="medium")
def take_away(
    index: MilvusIndex, encoder: Encoder, asked: Asked, shown: "Shown", hits: Sequence[Hit]
) -> None:
    """Ask which results, and offer them in every form."""
    with people_errors():
        ranks, taken = _which(index, encoder, asked, hits)
        # Of the search, whatever of it is taken.
        usual = usual_scores(index, encoder)
        far = is_nothing_close(usual, asked.query, hits, asked.options)
        _files(index, asked, shown, ranks, taken, far)
        _elsewhere(index, asked)


def _which(
    index: MilvusIndex, encoder: Encoder, asked: Asked, hits: Sequence[Hit]
) -> tuple[Sequence[int], Sequence[Hit]]:
    """The results that are wanted, each with its rank."""
    ticked = set(_chosen())
    if ticked:
        which = st.segmented_control("Which", (_CHOSEN, _ALL), default=_CHOSEN, required=True)
        if which == _CHOSEN:
            found = _first(index, encoder, asked, hits, MOST) if _lacks(hits, ticked) else hits
            chosen = [(rank, hit) for rank, hit in enumerate(found, start=1) if hit.id in ticked]
            st.caption(f"{len(chosen)} chosen.")
            return [rank for rank, _ in chosen], [hit for _, hit in chosen]
    number = st.number_input("Number of results", 1, MOST, value=min(len(hits), MOST))
    taken = _first(index, encoder, asked, hits, int(number))
    return range(1, len(taken) + 1), taken


def _lacks(hits: Sequence[Hit], ticked: set[str]) -> bool:
    """Whether some are ticked that came by "Load more"."""
    return not ticked <= {hit.id for hit in hits}


def _first(
    index: MilvusIndex, encoder: Encoder, asked: Asked, hits: Sequence[Hit], number: int
) -> Sequence[Hit]:
    if number <= len(hits):
        return hits[:number]
    return search(index, encoder, asked.query, replace(asked.options, limit=number))


def _files(
    index: MilvusIndex,
    asked: Asked,
    shown: "Shown",
    ranks: Sequence[int],
    hits: Sequence[Hit],
    far: bool | None,
) -> None:
    name, now, local = index.info.name, session_settings(), is_local()
    query = {"references": [each.name for each in asked.references], "text": asked.instruction}
    heading = " · ".join([name, *query["references"], asked.instruction.strip()]).strip(" ·")
    asked_for = {**query, **asdict(asked.options)}
    # A file is made when its button is pressed.
    files: tuple[tuple[str, str, str, Callable[[], str | bytes]], ...] = (
        ("CSV", "csv", "text/csv", lambda: results_csv(hits, list(index.info.columns), ranks)),
        (
            "JSON",
            "json",
            "application/json",
            lambda: json.dumps(search_document(index.info, asked_for, hits, far), indent=2),
        ),
        (
            "Images (zip)",
            "zip",
            "application/zip",
            lambda: images_zip(index, hits, now, local=local, ranks=ranks),
        ),
        (
            "Contact sheet (PNG)",
            "png",
            "image/png",
            lambda: contact_sheet(index, hits, [shown.title(hit) for hit in hits], heading, ranks),
        ),
    )
    with st.container(horizontal=True, gap="small"):
        for label, ending, kind, made in files:
            st.download_button(
                label,
                made,
                file_name=f"results.{ending}",
                mime=kind,
                icon=":material/download:",
                on_click="ignore",
                disabled=not hits,
                key=f"take away {ending}",
            )


def _elsewhere(index: MilvusIndex, asked: Asked) -> None:
    """The link, and the same search on the command line and in Python."""
    st.markdown("**Link to this search**")
    st.code(state.link(), language=None, wrap_lines=True)
    uploaded = [each.name for each in asked.references if not each.path]
    if not asked.is_linkable:
        st.caption(
            f"The link cannot hold {plain(', '.join(uploaded))}: it shows your upload to this "
            "browser alone, for some hours. Index the picture to share a search with it."
        )
    images = [
        (each.name if uploads.is_upload(each.key) else each.key)
        + ("" if each.weight == 1 else f"*{each.weight:g}")
        for each in asked.references
    ]
    told = (index.info.name, images, asked.instruction.strip(), asked.options)
    # Who sits at this machine may begin with other settings; others are not told where files are.
    uri = session_settings().uri_to_tell if is_local() else None
    st.markdown("**On the command line**")
    st.code(shell_line(*told, uri=uri), language="bash", wrap_lines=True)
    st.markdown("**In Python**")
    st.code(python_lines(*told, uri=uri), language="python", wrap_lines=True)
    if not asked.is_linkable:
        st.caption("There the uploaded picture is read from a file: begin in its folder.")
