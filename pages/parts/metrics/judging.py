"""Judging a labelled set of one's own further: what several systems found, and a second annotator.

Pictures stand in an order that tells neither which system found them nor how they were judged.
"""

from collections.abc import Mapping, Sequence

import streamlit as st

from cir.errors import UsageError
from cir.images import is_thumbnail
from eval.runs.pictures import Pictures, in_gallery
from eval.runs.pooling import pool, runs_of, to_judge_again
from eval.runs.reading import Run
from eval.sets.agreement import agreement
from eval.sets.catalogue import NATIVE_NAME, Place, load_place
from eval.sets.formats.native import load_native
from eval.sets.labelled import LabelledQuery, LabelledSet
from eval.sets.own import change_query, judge_apart, kept_sets, second_name
from pages.parts.shell.session import (
    galleries,
    is_local,
    may_change,
    plain,
    session_settings,
    settings,
    store,
)

_POOL, _SECOND = "What the runs found", "As a second annotator"
_DONE = "metrics_judged"


def show_judging(runs: Sequence[Run]) -> None:
    """The form: a set, a query of it, and pictures to tick."""
    kept = kept_sets(settings().data_dir)
    if not kept or not may_change():
        st.caption("There is no labelled set of your own yet: mark targets in the search page.")
        return
    name = st.selectbox("Set to judge", list(kept), key="metrics_judge_set")
    labelled = load_place(Place(name, NATIVE_NAME, kept[name]))
    asked = runs_of(labelled, runs)
    if not asked:
        st.info(f"Run {plain(name)} first: its results are judged.", icon=":material/info:")
        return
    task = st.radio(
        "Judge",
        [_POOL, _SECOND],
        captions=[
            f"The first results of {len(asked)} runs that nobody has judged: a set that only one "
            "system filled favours it.",
            "What was judged, once more and without seeing how, in a set beside this one.",
        ],
        key="metrics_judge_task",
    )
    second = kept.get(second_name(name))
    theirs = None if second is None else load_native(second)
    left = pool(labelled, asked) if task == _POOL else to_judge_again(labelled, theirs)
    if task == _SECOND and theirs is not None:
        _agreement(labelled, theirs)
    if said := st.session_state.pop(_DONE, None):
        st.success(plain(said), icon=":material/check_circle:")
    if not left:
        st.markdown("Nothing is left to judge.")
        return
    st.caption(f"{len(left)} of {len(labelled.queries)} queries have images to judge.")
    queries = {query.id: query for query in labelled.queries if query.id in left}
    query_id = st.selectbox(
        "Query to judge",
        list(queries),
        format_func=lambda each: f"{queries[each].instruction} ({each})",
        key=f"metrics_judge_query {name} {task}",
    )
    _judge(name, queries[query_id], left[query_id], asked[0], apart=task == _SECOND)


def _judge(
    name: str, query: LabelledQuery, images: Sequence[str], run: Run, *, apart: bool
) -> None:
    """The pictures of a query with a box each, and what becomes of the ticks."""
    where = galleries() if in_gallery(run) else store()
    pictures = Pictures(run, session_settings(), local=is_local(), store=where)
    small = pictures.thumbnails([query.reference, *images])
    with st.form(f"metrics_judging {name} {query.id} {apart}", border=False):
        left, right = st.columns([1, 3], gap="medium")
        with left:
            st.markdown(f"**{plain(query.instruction)}**")
            _picture(query.reference, "Reference image", small)
        with right, st.grid(min_column_width=110):
            ticked = {
                path: _ticked(path, number, small, f"{name} {query.id} {apart}")
                for number, path in enumerate(images, 1)
            }
        saved = st.form_submit_button(
            "Save: what is ticked is right, the rest is not", icon=":material/save:"
        )
    if saved:
        if apart:
            judge_apart(name, query.id, ticked, session_settings())
        else:
            change_query(name, query.id, session_settings(), judged=ticked)
        right_ones = sum(ticked.values())
        st.session_state[_DONE] = f"{query.id}: {right_ones} of {len(ticked)} images are right."
        st.rerun()


def _ticked(path: str, number: int, small: Mapping[str, bytes], key: str) -> bool:
    with st.container(gap="xxsmall"):
        _picture(path, f"Image {number}", small)
        return st.checkbox(f"Image {number} is right", key=f"metrics_judge {key} {path}")


def _picture(path: str, what: str, small: Mapping[str, bytes]) -> None:
    jpeg = small.get(path)
    if jpeg is None or not is_thumbnail(jpeg):  # others may write to a shared Milvus
        st.caption(f"{what}: no picture of {plain(path)}")
    else:
        st.image(jpeg, width="stretch", alt=what)


def _agreement(first: LabelledSet, second: LabelledSet) -> None:
    try:
        found = agreement(first, second)
    except UsageError as error:
        st.caption(plain(str(error)))
        return
    st.markdown(plain(found.words()))
    if found.disputed:
        said = "; ".join(f"{query}: {', '.join(each)}" for query, each in found.disputed.items())
        st.caption(plain(f"Disputed: {said}"))
