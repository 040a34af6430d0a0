"""The single queries of a run on the metrics page: a list, and one of them in pictures."""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import get_args

import streamlit as st

from cir.errors import RecomposeError, UsageError
from cir.images import is_thumbnail
from eval.comparison.comparing import count_of
from eval.comparison.difficulty import QueryDifficulty
from eval.comparison.paired import Contender
from eval.runs.pictures import Pictures, in_gallery, indexed_reference, queries_of
from eval.runs.queries import (
    Order,
    QueryRow,
    queries_csv,
    query_rows,
    ranked_paths,
    ranks_by_id,
)
from eval.runs.ranks import MODE_NAMES, RankTable
from eval.runs.reading import Run, rank_table
from eval.runs.shortcuts import SOLVERS, Solver, solvers
from eval.sets.labelled import LabelledQuery
from pages.parts.metrics.difficulty import difficulty_cells, pick_difficulty, show_doubts
from pages.parts.metrics.downloads import download
from pages.parts.metrics.shortcuts import cutoff
from pages.parts.search.asked import REFERENCE
from pages.parts.shell.navigation import SEARCH_FILE
from pages.parts.shell.session import INDEX_KEY, galleries, is_local, plain, session_settings, store

RESULTS = 20
_BESIDE = 3
"""How many other systems stand beside one."""
_FEW_RESULTS = 12  # of each, where more than two systems stand side by side
_MOST_TARGETS = 6
_ORDERS: Mapping[Order, str] = {
    "worst": "Worst rank first",
    "best": "Best rank first",
    "lost": "Lost most ranks",
    "gained": "Won most ranks",
}
_ALL = "All"
# The words beside the pictures say the same.
_STYLE = """<style>
[class*="st-key-target"] img { outline: 4px solid #009E73; outline-offset: 2px; }
</style>"""


def show_queries(run: Run, table: RankTable, others: Sequence[Run]) -> None:
    """The list with its filters, and the query that is chosen in it."""
    st.header("Queries")
    if not table.ids:
        return
    where = galleries() if in_gallery(run) else store()
    pictures = Pictures(run, session_settings(), local=is_local(), store=where)
    asked: Mapping[str, LabelledQuery] = {}
    try:
        asked = _asked(run, pictures, str(run.folder), str(run.document.get("set_fingerprint")))
    except UsageError as error:
        st.caption(plain(f"There are ranks alone: {error}"))
    left, middle, right = st.columns(3, gap="small")
    with left:
        shown = _pick_mode(run, table)
        against = _pick_against(run, table, shown, others)
    with middle:
        order = _pick_order(against)
        group = _pick_group(table)
    with right:
        solver = _pick_solver(table)
        seen = pick_difficulty(run)
        text = st.text_input(
            "With these words",
            max_chars=200,
            help="Part of the instruction or of the query's id.",
            key="metrics_query_text",
        )
    rows = query_rows(
        table,
        asked,
        mode=shown.mode,
        before=_ranks(against[0]) if against else None,
        order=order,
        group=None if group == _ALL else group,
        text=text.strip(),
        solver=solver,
        k=cutoff(),
    )
    if seen is not None:
        places = {query: place for place, query in enumerate(seen)}
        rows = sorted((row for row in rows if row.id in seen), key=lambda row: places[row.id])
    if not rows:
        st.info("No query meets the filters.", icon=":material/filter_alt:")
        return
    chosen = _pick_query(rows, shown, against, seen or {})
    download("These queries (CSV)", queries_csv(rows), f"{run.name}-queries.csv", "text/csv")
    if seen is not None:
        show_doubts(seen[chosen.id])
    if chosen.id in asked:
        _show_query(asked[chosen.id], chosen, shown, against, pictures)


@st.cache_data(show_spinner="Reading the labelled set", max_entries=4)
def _asked(
    _run: Run, _pictures: Pictures, folder: str, fingerprint: str
) -> dict[str, LabelledQuery]:
    return queries_of(_run, _pictures)


def _pick_mode(run: Run, table: RankTable) -> Contender:
    modes = list(table.ranks)
    mode = st.selectbox("Asked with", modes, format_func=MODE_NAMES.__getitem__)
    return Contender(run, mode)


def _pick_against(
    run: Run, table: RankTable, shown: Contender, others: Sequence[Run]
) -> list[Contender]:
    """Other runs, or other ways to ask of this one; the list is ordered by the first."""
    offers = [Contender(other) for other in others if other.name != run.name]
    offers += [Contender(run, mode) for mode in table.ranks if mode != shown.mode]
    if not offers:
        return []
    by_label = {one.label: one for one in offers}
    chosen = st.multiselect(
        "Compared with",
        list(by_label),
        format_func=lambda label: _title(by_label[label], shown),
        max_selections=_BESIDE,
        placeholder="Nothing",
        help=f"Other ways to ask, or others of the chosen runs, {_BESIDE} at most: they stand side "
        "by side, and ranks won and lost are those against the first.",
    )
    return [by_label[label] for label in chosen]


def _pick_order(against: Sequence[Contender]) -> Order:
    orders = [each for each in get_args(Order) if against or each in {"worst", "best"}]
    order: Order = st.selectbox("Order", orders, format_func=_ORDERS.__getitem__)
    return order


def _pick_group(table: RankTable) -> str:
    if not table.group_names:
        return _ALL
    return st.selectbox("Group", [_ALL, *table.group_names])


def _pick_solver(table: RankTable) -> Solver | None:
    """What must solve the queries that are listed; no choice without ablations."""
    if not solvers(table):
        return None
    return st.selectbox(
        "Solved by",
        [None, *SOLVERS],
        format_func=lambda each: _ALL if each is None else SOLVERS[each],
        help="The least that finds a target within the first images, see Shortcuts.",
        key="metrics_solver",
    )


def _ranks(one: Contender) -> Mapping[str, int | None]:
    table = rank_table(one.run)
    return {} if table is None else ranks_by_id(table, one.mode)


def _pick_query(
    rows: Sequence[QueryRow],
    shown: Contender,
    against: Sequence[Contender],
    seen: Mapping[str, QueryDifficulty],
) -> QueryRow:
    """The list; the first query is chosen until somebody chooses another."""
    labels = [each.label for each in (shown, *against)]
    ids = "\0".join([*labels, *(row.id for row in rows)])
    further = {f"Rank, {_title(one, shown)}": _ranks(one) for one in against[1:]}
    event = st.dataframe(
        [
            {
                **_cells(row, against, further),
                **(difficulty_cells(seen[row.id]) if seen else {}),
            }
            for row in rows
        ],
        hide_index=True,
        height=280,
        on_select="rerun",
        selection_mode="single-row",
        selection_default={"selection": {"rows": [0]}},
        placeholder="none",
        # Rows are chosen by number: another list needs another state.
        key=f"metrics_queries {hashlib.sha256(ids.encode()).hexdigest()[:12]}",
        alt="Queries of the run: instruction, rank of the first target, group",
    )
    st.caption(
        f"{count_of(len(rows))}. Rank: that of the first target, empty where the ranking has none. "
        "Tick one to see it."
        + (
            " All runs: the mean over the runs of the set. Separates: from -1 to 1, how far strong "
            "runs find a target and weak ones do not."
            if seen
            else ""
        )
    )
    picked = event.selection.rows
    return rows[picked[0] if picked and picked[0] < len(rows) else 0]


def _cells(
    row: QueryRow,
    against: Sequence[Contender],
    further: Mapping[str, Mapping[str, int | None]],
) -> dict[str, str | float | None]:
    cells: dict[str, str | float | None] = {"Rank": row.rank}
    if against:
        cells |= {"Rank there": row.before, "Ranks won": row.change}
        cells |= {name: ranks.get(row.id) for name, ranks in further.items()}
    about = {"Instruction": row.instruction, "Group": ", ".join(row.groups), "Query": row.id}
    solved = {"Solved by": SOLVERS[row.solved_by]} if row.solved_by else {}
    return cells | about | solved


def _show_query(
    query: LabelledQuery,
    row: QueryRow,
    shown: Contender,
    against: Sequence[Contender],
    pictures: Pictures,
) -> None:
    """Reference, instruction and targets of a query, and what was found."""
    sides = [(shown, row.rank), *((one, _ranks(one).get(query.id)) for one in against)]
    count = RESULTS if len(sides) <= 2 else _FEW_RESULTS
    try:
        found = [
            ranked_paths(one.run, one.mode, {query.id}, count).get(query.id, ()) for one, _ in sides
        ]
    except UsageError as error:
        st.info(plain(str(error)), icon=":material/info:")
        return
    targets = list(query.first_targets)[:_MOST_TARGETS]
    wanted = dict.fromkeys([query.reference, *targets, *(path for each in found for path in each)])
    small = pictures.thumbnails(list(wanted))
    st.html(_STYLE)
    left, right = st.columns([1, 3], gap="medium")
    with left:
        _asked_words(query, shown.run, small)
    with right if against else left:
        _targets(query, targets, small)
    places = st.columns(len(sides), gap="medium") if against else [right]
    for number, ((one, rank), paths) in enumerate(zip(sides, found, strict=True)):
        with places[number]:
            _results(_title(one, shown), rank, paths, query, small, number, 70 if against else 100)


def _title(one: Contender, shown: Contender) -> str:
    return MODE_NAMES[one.mode] if one.run.name == shown.run.name else one.run.name


def _asked_words(query: LabelledQuery, run: Run, small: Mapping[str, bytes]) -> None:
    st.markdown(f"**{plain(query.instruction) or 'No instruction'}**")
    if query.reworded:
        st.markdown(f"and **{plain(query.reworded)}**")
    _picture(query.reference, "Reference image", small, width=200)
    st.caption(plain(query.reference))
    place = None
    with suppress(RecomposeError):  # without Milvus there is nowhere to open it
        place = indexed_reference(run, query, store())
    if place is not None:
        name, key = place
        if st.button("Open in search", icon=":material/search:"):
            asked = {"instruction": query.instruction} if query.instruction else {}
            st.switch_page(
                SEARCH_FILE,
                query_params={INDEX_KEY: name, REFERENCE: key, **asked},
            )


def _targets(query: LabelledQuery, targets: Sequence[str], small: Mapping[str, bytes]) -> None:
    more = len(query.targets) - len(targets)
    count = "1 target" if len(query.targets) == 1 else f"{len(query.targets)} targets"
    st.markdown(count + (f", {len(targets)} of them:" if more else ":"))
    with st.grid(min_column_width=70):
        for number, path in enumerate(targets):
            with st.container(key=f"target-of-query-{number}"):
                _picture(path, "Target", small)


def _results(
    title: str,
    rank: int | None,
    paths: Sequence[str],
    query: LabelledQuery,
    small: Mapping[str, bytes],
    number: int,
    width: int,
) -> None:
    first = "no target in the ranking" if rank is None else f"first target at rank {rank}"
    st.markdown(f"**{plain(title)}**: {first}")
    if not paths:
        st.caption("This query has no ranking.")
        return
    with st.grid(min_column_width=width):
        for place, path in enumerate(paths, 1):
            is_target = path in query.targets
            kind = "target" if is_target else "result"
            with st.container(key=f"{kind}-{number}-{place}", gap="xxsmall"):
                _picture(path, f"Result {place}{', a target' if is_target else ''}", small)
                st.caption(f"{place} · **target**" if is_target else str(place))


def _picture(path: str, what: str, small: Mapping[str, bytes], *, width: int | None = None) -> None:
    jpeg = small.get(path)
    if jpeg is None or not is_thumbnail(jpeg):  # others may write to a shared Milvus
        st.caption(f"{what}: no picture of {plain(path)}")
    else:
        st.image(jpeg, width=width or "stretch", alt=f"{what}: {path}")
