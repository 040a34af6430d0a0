"""Several runs beside each other on the metrics page."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from cir.errors import UsageError
from eval.comparison.comparing import Comparison, compare, interval, points
from eval.comparison.curves import Curve, milliseconds, recall_curves, undominated
from eval.comparison.paired import Contender, check_comparable, usual_measure
from eval.measures import heading
from eval.reporting.figures import costs_png, costs_svg, curves_png, curves_svg
from eval.reporting.tables import comparison_table
from eval.runs.ranks import COMPOSED
from eval.runs.reading import Run, rank_table
from pages.parts.metrics.charts import costs_chart, curves_chart
from pages.parts.metrics.downloads import offer_figure, offer_tables
from pages.parts.metrics.progress import WORDS
from pages.parts.metrics.run import (
    CURVE_WORDS,
    GROUP_WORDS,
    MOST_ROWS,
    NAMES,
    NOT_TOLD,
    certain_cells,
    cluster_cells,
    cost_cells,
    over_groups,
    run_key,
)
from pages.parts.shell.session import people_errors, plain


def show_comparison(runs: Sequence[Run]) -> bool:
    """The composed query's figures of runs side by side, or why not; gives whether they compare."""
    st.header("Side by side")
    try:
        check_comparable([Contender(run) for run in runs])
    except UsageError as error:
        st.info(plain(str(error)), icon=":material/difference:")
        return False
    # Not a table, which would be wider than a narrow screen with the names of runs in it.
    st.dataframe(
        [
            {"Run": run.name, "Encoder": run.encoder}
            | {heading(name): run.metrics.get(name) for name in NAMES}
            for run in runs
        ],
        hide_index=True,
        column_config={
            heading(name): st.column_config.NumberColumn(format="%.3f") for name in NAMES
        },
        alt="The composed query's figures, a row for each chosen run",
    )
    left, right = st.columns([3, 2], gap="medium")
    with left:
        compared = _statistics(runs)
    with right:
        curves = _curves(runs, run_key(runs))
        if curves:
            st.altair_chart(
                curves_chart(curves),
                alt="recall at k of the composed query over k, a line for each chosen run",
            )
            st.caption(CURVE_WORDS)
            offer_figure(
                "Curves",
                "comparison-recall",
                lambda: curves_svg(curves),
                lambda: curves_png(curves),
            )
    _costs(runs, compared.measure if compared else None)
    if compared is not None:
        with st.expander("Every measure", icon=":material/table_rows:"):
            _tables(compared)
            st.caption(
                f"Points: the difference, in hundredths. 95 % interval{_over(compared)}: where it "
                f"lies if other {plain(compared.shared) + 's' if compared.over else 'queries'} "
                "like these were asked. p: how often chance alone makes a difference this large."
            )
        if any(compared.groups):
            with st.expander(f"{heading(compared.measure)} by group", icon=":material/category:"):
                _group_tables(compared)
    return True


def _statistics(runs: Sequence[Run]) -> Comparison | None:
    """Differences from one of the runs, and how far they can be chance."""
    # The oldest to begin with: what was there before is what a new run is held against.
    name = st.selectbox(
        "Compare with",
        [run.name for run in runs],
        index=len(runs) - 1,
        key=f"metrics_first {run_key(runs)}",
    )
    ordered = sorted(runs, key=lambda run: run.name != name)
    try:
        compared = _compared(ordered, run_key(ordered))
    except UsageError as error:
        st.info(plain(f"There are no statistics: {error.worded(WORDS)}"), icon=":material/info:")
        return None
    usual = telling(compared)
    if usual != compared.measure:
        compared = _compared(ordered, run_key(ordered), usual)
        st.caption(
            f"{heading(usual_measure(compared.measures))} is full for all and tells nothing."
        )
    measure = _pick_measure(compared, f"metrics_conclude {run_key(ordered)}")
    if measure != compared.measure:
        with people_errors(WORDS):
            compared = _compared(ordered, run_key(ordered), measure)
    for words in (*compared.words(), *compared.group_words()):
        st.markdown(plain(words))
    st.caption(plain(" ".join(compared.notes)))
    offer_tables(
        "Comparison", f"{name}-comparison", compared.csv, partial(comparison_table, compared)
    )
    return compared


def telling(compared: Comparison) -> str:
    """The measure to conclude by: the first of the usual ones that is not full for all runs."""
    names = dict.fromkeys([compared.measure, *compared.measures])
    full = [name for name in names if all(each[name] == 1.0 for each in compared.figures)]
    return next((name for name in names if name not in full), compared.measure)


def _costs(runs: Sequence[Run], measure: str | None) -> None:
    """What the runs took, and quality against time where two of them at least tell of both."""
    cells = {run.name: cost_cells(run) for run in runs}
    if all(cell == NOT_TOLD for of_run in cells.values() for cell in of_run.values()):
        return
    points = {
        run.name: (cost, run.metrics[measure])
        for run in runs
        if measure is not None and measure in run.metrics and (cost := milliseconds(run))
    }
    st.subheader("Quality against time")
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.table(
            [{"Run": plain(name), **of_run} for name, of_run in cells.items()],
            hide_index=True,
            border="horizontal",
            alt="Time a query and peak memory, a row for each chosen run",
        )
    if measure is None or len(points) < 2:
        return
    with right:
        st.altair_chart(
            costs_chart(points, heading(measure)),
            alt=f"{measure} over milliseconds a query, a point for each run; the tables have the "
            "figures",
        )
    with left:
        named = ", ".join(f"**{plain(name)}**" for name in undominated(points))
        st.markdown(f"No other run is both faster and better than {named}: filled points.")
        st.caption(
            "Time of encoding and search a query, on the machine of each run: it compares where "
            "these are the same machine, and nothing else ran there."
        )
        offer_figure(
            "Quality against time",
            "comparison-costs",
            lambda: costs_svg(points, heading(measure)),
            lambda: costs_png(points, heading(measure)),
        )


def _tables(compared: Comparison) -> None:
    for other, differences in zip(compared.contenders[1:], compared.differences, strict=True):
        st.markdown(f"**{plain(other.label)}** minus {plain(compared.contenders[0].label)}")
        st.table(
            [
                {
                    "Measure": heading(name),
                    "Points": points(it.delta),
                    "95 % interval": interval(it),
                    "Better / worse / same": f"{it.better} / {it.worse} / {it.same}",
                    "p": f"{it.p_holm:.2g}",
                }
                for name, it in differences.items()
            ],
            hide_index=True,
            border="horizontal",
            alt="Differences between two runs, a row for each measure",
        )


def _group_tables(compared: Comparison) -> None:
    for other, groups in zip(compared.contenders[1:], compared.groups, strict=True):
        st.markdown(f"**{plain(other.label)}** minus {plain(compared.contenders[0].label)}")
        st.table(
            [
                {
                    "Group": plain(name),
                    "Queries": it.queries,
                    **cluster_cells(compared, it),
                    "First": f"{it.first:.3f}",
                    "This": f"{it.this:.3f}",
                }
                | certain_cells(it)
                for name, it in list(groups.items())[:MOST_ROWS]
            ],
            hide_index=True,
            border="horizontal",
            alt="Differences between two runs, a row for each group",
        )
    st.caption(f"{GROUP_WORDS}{over_groups(compared)}")


def _over(compared: Comparison) -> str:
    return f" {plain(compared.over)}" if compared.over else ""


def _pick_measure(compared: Comparison, key: str) -> str:
    """The measure to conclude by: one that was compared, that the runs have, or a typed one."""
    runs = [each.run for each in compared.contenders]
    shared = [name for name in runs[0].metrics if all(name in run.metrics for run in runs)]
    typed = st.session_state.get(key)
    names = list(dict.fromkeys([*compared.measures, *shared, *filter(None, [typed])]))
    measure: str | None = st.selectbox(
        "Conclude by",
        names,
        index=names.index(compared.measure),
        format_func=heading,
        accept_new_options=True,
        help="The measure that the words are about. Choose it before you look at the table. "
        "Another can be typed, for example recall@20.",
        key=key,
    )
    return measure or compared.measure


@st.cache_data(show_spinner="Comparing", max_entries=20)
def _compared(_runs: Sequence[Run], key: str, measure: str | None = None) -> Comparison:
    return compare([Contender(run) for run in _runs], measure=measure)


@st.cache_data(show_spinner=False, max_entries=20)
def _curves(_runs: Sequence[Run], key: str) -> dict[str, Curve]:
    curves: dict[str, Curve] = {}
    for run in _runs:
        try:
            table = rank_table(run)
        except UsageError:
            continue  # its own section says what is wrong with it
        if table is not None:
            curve = recall_curves(run, table).get(COMPOSED)
            curves |= {} if curve is None else {run.name: curve}
    return curves
