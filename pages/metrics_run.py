"""One run on the metrics page: figures, what composing brings, curves, groups, a download."""

import csv
import io
import json
from collections.abc import Iterator, Mapping

import streamlit as st

from cir.errors import UsageError
from eval.metrics import MEASURES
from eval.ranks import RankTable, composition_gain
from eval.reading import Figures, Run, rank_table
from pages.common import plain
from pages.metrics_charts import bars_chart, curves_chart
from pages.metrics_delete import offer_delete

MODE_NAMES = {
    "composed": "Composed",
    "image": "Image only",
    "text": "Text only",
    "sum": "Sum",
}
"""What a query's modes are called on the page."""

NAMES = tuple(str(measure) for measure in MEASURES)
GAIN = "recall@10"
_ALL = "All queries"
_MOST_GROUPS = 30  # that a chart shows
_EXPLAINED = (
    "recall@k: the share of queries with a target among the first k images. "
    "MRR: the mean of one over the rank of the first target."
)


def heading(measure: str) -> str:
    """A measure's name as a table's heading."""
    return "MRR" if measure == "mrr" else measure


def figure(values: Figures, measure: str) -> str:
    """A measure's value for people."""
    return f"{values[measure]:.3f}" if measure in values else "n/a"


def show_run(run: Run) -> None:
    """Everything about one run."""
    st.header(f"{plain(run.set)}, encoder {plain(run.encoder)}")
    st.caption(plain(_made_of(run)))
    table = _ranks(run)
    modes, curves = run.modes, table.curves() if table else {}
    group = _pick_group(table)
    if table and group != _ALL:
        part = table.of_group(group)
        modes, curves = part.figures(), part.curves()
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _figures(modes)
        _gain(modes)
        _notes(run)
        st.download_button(
            "Download the figures",
            _as_csv(run, table),
            file_name=f"{run.name}-figures.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
    with right:
        _curves(curves)
    _groups(run, table)
    _provenance(run)
    if run.folder is not None:
        offer_delete("run", run.folder.name, "Delete this run …")


def _made_of(run: Run) -> str:
    parts = [f"{run.queries} queries"]
    gallery = run.part("gallery")
    if gallery:
        where = f"the index {gallery.get('name')}" if gallery.get("kind") == "index" else "a folder"
        parts.append(f"{gallery.get('images')} images of {where}")
    if run.date:
        parts.append(f"{run.date:%Y-%m-%d %H:%M} UTC")
    return " · ".join([*parts, run.name])


def _ranks(run: Run) -> RankTable | None:
    try:
        return rank_table(run)
    except UsageError as error:
        st.warning(plain(f"Curves and groups are left out: {error}"))
        return None


def _pick_group(table: RankTable | None) -> str:
    if table is None or not table.group_names:
        return _ALL
    return st.selectbox(
        "Queries",
        [_ALL, *table.group_names],
        help="The figures and curves below are those of these queries.",
        width=320,
    )


def _figures(modes: Mapping[str, Figures]) -> None:
    st.table(
        [
            {"Query": MODE_NAMES[mode]} | {heading(name): figure(values, name) for name in NAMES}
            for mode, values in modes.items()
        ],
        hide_index=True,
        border="horizontal",
        alt="Figures of the run: a row for each way to ask, recall at k and MRR in columns",
    )
    st.caption(_EXPLAINED)


def _gain(modes: Mapping[str, Figures]) -> None:
    """What composing brings, in words."""
    gain = composition_gain(modes, GAIN)
    if gain is None:
        st.markdown(
            "This run asked with the composed query alone, so it does not tell what composing "
            "brings. Tick the comparison in a new run to see it."
        )
        return
    words = "the " + MODE_NAMES[gain.mode].lower()
    compared = (
        f"Among the first 10 images the composed query finds a target for {gain.composed:.1%} of "
        f"the queries; the best of the others, {words}, for {gain.best:.1%}"
    )
    if gain.points > 0:
        st.success(
            f"**Composing gains {gain.points:.1f} points.** {compared}.",
            icon=":material/trending_up:",
        )
    else:
        loss = f"loses {-gain.points:.1f} points" if gain.points else "gains nothing"
        st.warning(f"**Composing {loss} here.** {compared}.", icon=":material/trending_down:")


def _notes(run: Run) -> None:
    """What the figures do not show."""
    absent, failed = run.part("absent"), run.document.get("failed")
    if any(absent.values()):
        st.caption(
            plain(
                f"Not in the gallery: {absent.get('references', 0)} reference images and "
                f"{absent.get('targets', 0)} targets. They count as never found."
            )
        )
    if isinstance(failed, list) and failed:
        st.caption(f"Images of the gallery that could not be read: {len(failed)}.")
    if run.part("settings").get("keep_reference"):
        st.caption("The reference image stayed in the ranking; it often takes the first rank.")


def _curves(curves: Mapping[str, list[float]]) -> None:
    if not curves:
        st.caption("This run came without its table of ranks (queries.csv): there are no curves.")
        return
    st.altair_chart(
        curves_chart({MODE_NAMES[mode]: values for mode, values in curves.items()}),
        alt="recall at k over k from 1 to 50, a line for each way to ask; the table has figures",
    )


def _groups(run: Run, table: RankTable | None) -> None:
    """The groups beside each other in one measure."""
    groups = _by_group(run, table)
    if not groups:
        return
    st.header("By group")
    given = [name for name in NAMES if all(name in v for m in groups.values() for v in m.values())]
    if not given:
        return
    measure = st.segmented_control(
        "Measure",
        given,
        default=GAIN if GAIN in given else given[0],
        format_func=heading,
        required=True,
    )
    values = {
        group: {MODE_NAMES[mode]: figures[measure or GAIN] for mode, figures in modes.items()}
        for group, modes in groups.items()
    }
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.table(
            [
                {"Group": plain(group)} | {name: f"{value:.3f}" for name, value in row.items()}
                for group, row in values.items()
            ],
            hide_index=True,
            border="horizontal",
            alt=f"{measure} by group, a column for each way to ask",
        )
    with right:
        first = dict(list(values.items())[:_MOST_GROUPS])
        st.altair_chart(
            bars_chart(first, heading(measure or GAIN)),
            alt=f"Bars of {measure} by group; the table beside has the figures",
        )


def _by_group(run: Run, table: RankTable | None) -> dict[str, Mapping[str, Figures]]:
    if table is not None:
        return {name: table.of_group(name).figures() for name in table.group_names}
    return {name: {"composed": figures} for name, figures in run.groups.items()}


def _provenance(run: Run) -> None:
    """What the figures were made with; addresses of files are left out."""
    gallery = {k: v for k, v in run.part("gallery").items() if k not in {"folder", "name"}}
    settings = {k: v for k, v in run.part("settings").items() if k != "set"}
    known = {
        "settings": settings,
        "gallery": gallery,
        **{key: run.document.get(key) for key in ("encoder_fingerprint", "precision")},
        **{key: run.document.get(key) for key in ("set_fingerprint", "seconds", "versions")},
    }
    shown = {key: value for key, value in known.items() if value}
    if shown:
        with st.expander("What this run was made with", icon=":material/info:"):
            st.code(json.dumps(shown, indent=2), language="json")


def _as_csv(run: Run, table: RankTable | None) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["run", "queries", "mode", *NAMES])
    for group, mode, figures in _lines(run, table):
        writer.writerow([run.name, group, mode, *(figures.get(name, "") for name in NAMES)])
    return text.getvalue()


def _lines(run: Run, table: RankTable | None) -> Iterator[tuple[str, str, Figures]]:
    for mode, figures in run.modes.items():
        yield "all", mode, figures
    for group, modes in _by_group(run, table).items():
        for mode, figures in modes.items():
            yield group, mode, figures
