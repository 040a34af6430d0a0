"""One run on the metrics page: figures, what composing brings, curves, groups, a download."""

import hashlib
import json
from collections.abc import Mapping, Sequence

import streamlit as st

from cir.errors import UsageError
from cir.words import size
from eval.comparison.comparing import Comparison, count_of, interval, points
from eval.comparison.curves import Curve, milliseconds, peak_memory, recall_curves
from eval.comparison.paired import LEVEL, GroupDifference, usual_measure
from eval.measures import FAMILIES, MEASURES, explained, heading, parse_measure
from eval.reporting.page import gain_comparison, made_with
from eval.runs.ranks import (
    COMPOSED,
    MODE_NAMES,
    RankTable,
    by_group,
    composition_gain,
    telling_measure,
    wording_words,
)
from eval.runs.reading import Figures, Run, rank_table
from pages.parts.metrics.charts import bars_chart, curves_chart
from pages.parts.metrics.delete import offer_delete
from pages.parts.metrics.downloads import offer_downloads
from pages.parts.metrics.naming import offer_naming
from pages.parts.metrics.progress import WORDS
from pages.parts.metrics.queries import show_queries
from pages.parts.metrics.shortcuts import show_shortcuts
from pages.parts.shell.session import people_errors, plain

NAMES = tuple(str(measure) for measure in MEASURES)
MEASURES_HELP = "\n".join(f"- {kind.pattern()}: {kind.help}" for kind in FAMILIES.values())
NOT_TOLD = "not told"
_ALL = "All queries"
_WAYS = (
    "Composed: picture and sentence turned into one embedding. Sum: that of the picture and that "
    "of the sentence, added."
)
_MOST_GROUPS = 30  # that a chart shows
MOST_ROWS = 200
"""Groups that a table shows; files have all."""


CURVE_WORDS = "Pale: the 95 % interval at each k by itself."
GROUP_WORDS = (
    "p: how often chance alone makes a difference this large in any of the groups (Holm); bold "
    "where that is unlikely."
)


def certain_cells(it: GroupDifference) -> dict[str, str]:
    """A group's difference, its interval and its p, as cells of a table."""
    mark = "**" if it.p_holm < LEVEL else ""
    return {
        "Points": f"{mark}{points(it.delta)}{mark}",
        "95 % interval": interval(it),
        "p": f"{mark}{it.p_holm:.2g}{mark}",
    }


def cluster_cells(compared: Comparison, it: GroupDifference) -> dict[str, int]:
    """How many images, or sets of them, the queries of a group share, where some share one."""
    name = f"{compared.shared[:1].upper()}{plain(compared.shared[1:])}s"
    return {name: it.clusters} if compared.clusters else {}


def over_groups(compared: Comparison) -> str:
    """What the intervals of groups are over, where that is not the queries."""
    shared = plain(compared.shared)
    return f" Intervals are over the {shared}s of each group." if compared.clusters else ""


def cost_cells(run: Run) -> dict[str, str]:
    """What a run took, as cells of a table."""
    spent, held = milliseconds(run), peak_memory(run)
    return {
        "Time a query": NOT_TOLD if spent is None else f"{spent:.3g} ms",
        "Peak memory": NOT_TOLD if held is None else size(held),
    }


def figure(values: Figures, measure: str) -> str:
    """A measure's value for people."""
    return f"{values[measure]:.3f}" if measure in values else "n/a"


def run_key(runs: Sequence[Run]) -> str:
    """The same for the same runs in the same order, for what is worked out of them once."""
    documents = [[run.name, run.document] for run in runs]
    return hashlib.sha256(json.dumps(documents, default=str).encode()).hexdigest()[:16]


def show_run(run: Run, others: Sequence[Run] = ()) -> None:
    """Everything about one run; `others` are what its queries can be compared with."""
    st.header(f"{plain(run.set)}, encoder {plain(run.encoder)}")
    st.caption(plain(_made_of(run)))
    if run.note:
        st.markdown(plain(run.note))
    table = _ranks(run)
    modes = run.modes
    group = _pick_group(table)
    part = table
    if table and group != _ALL:
        part = table.of_group(group)
        modes = part.figures(run.metrics)
    curves = {} if part is None else _curves_of(run, part, run_key([run]), group)
    named = {MODE_NAMES[mode]: curve for mode, curve in curves.items()}
    left, right = st.columns([3, 2], gap="medium")
    with left:
        typed = _figures(modes, part)
        _gain(run, modes, interval=group == _ALL)
        _notes(run)
    with right:
        _curves(named)
    offer_downloads(run, table, named)
    _groups(run, table, typed)
    if table is not None:
        show_shortcuts(run, table)
        show_queries(run, table, others)
    _provenance(run)
    if run.folder is not None:
        offer_naming(run)
        offer_delete("run", run.folder.name, "Delete this run …")


def _made_of(run: Run) -> str:
    parts = [count_of(run.queries)]
    gallery = run.part("gallery")
    if gallery:
        where = f"the index {gallery.get('name')}" if gallery.get("kind") == "index" else "a folder"
        parts.append(f"{gallery.get('images')} images of {where}")
    if run.date:
        parts.append(f"{run.date:%Y-%m-%d %H:%M} UTC")
    parts += [f"{name} {cell}" for name, cell in cost_cells(run).items() if cell != NOT_TOLD]
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


def _figures(modes: Mapping[str, Figures], table: RankTable | None) -> str | None:
    """The figures by mode, and another measure that somebody asks for; gives its name."""
    st.table(
        [
            {"Query": MODE_NAMES[mode]} | {heading(name): figure(values, name) for name in NAMES}
            for mode, values in modes.items()
        ],
        hide_index=True,
        border="horizontal",
        alt="Figures of the run: a row for each way to ask, recall at k and MRR in columns",
    )
    st.caption(f"{explained(NAMES)} {_WAYS}" if len(modes) > 1 else explained(NAMES))
    more = [name for name in next(iter(modes.values()), {}) if name not in NAMES]
    if not more and table is None:
        return None
    # Folded where the measures above are the ones that the set is known by.
    with st.expander("More measures", expanded=bool(more) and NAMES[0] not in modes[COMPOSED]):
        place = st.container()
        typed = None if table is None else _typed_measure(table)
        if table is not None and typed is not None:
            told = table.figures([typed])
            modes = {mode: {**values, **told.get(mode, {})} for mode, values in modes.items()}
            more = list(dict.fromkeys([*more, typed]))
        if more:
            place.table(
                [
                    {"Measure": name} | {MODE_NAMES[m]: figure(v, name) for m, v in modes.items()}
                    for name in more
                ],
                hide_index=True,
                border="horizontal",
                alt="Further measures, a row each, a column for each way to ask",
            )
    return typed


def _typed_measure(table: RankTable) -> str | None:
    """A measure that somebody asks for beside those of the run, if the table tells of it."""
    typed = st.text_input(
        "Another measure",
        placeholder="recall@20",
        help=f"One that this run tells of:\n{MEASURES_HELP}",
        width=320,
        key="metrics_measure",
    ).strip()
    name = None
    if typed:
        with people_errors(WORDS):
            measure = parse_measure(typed)
            table.values_of(measure)
            name = str(measure)
    return name


def _gain(run: Run, modes: Mapping[str, Figures], *, interval: bool) -> None:
    """What composing brings, in words."""
    if not run.metrics:
        st.markdown("The targets of this split are not known: there are rankings and no figures.")
        return
    usual = usual_measure(list(run.metrics))
    measure = telling_measure(modes, usual)
    gain = composition_gain(modes, measure)
    if gain is None:
        st.markdown(
            "This run asked with the composed query alone, so it does not tell what composing "
            "brings. Tick the comparison in a new run to see it."
        )
        return
    words = "the " + MODE_NAMES[gain.mode].lower()
    if gain.is_saturated:
        st.info(
            f"**This set does not tell what composing brings.** The composed query and {words} are "
            "full in every measure of the run: only harder queries tell them apart.",
            icon=":material/trending_flat:",
        )
        return
    compared = (
        f"In {heading(measure)} the composed query reaches {gain.composed:.1%}; the best of the "
        f"others, {words}, {gain.best:.1%}"
    )
    if measure != usual:
        compared += f". {heading(usual)} is full for both and tells nothing"
    found = _gain_comparison(run, run_key([run]), measure) if interval else None
    if found is not None:
        compared += f". {_certainty(found, measure)}"
    if gain.points > 0:
        st.success(
            f"**Composing gains {gain.points:.1f} points.** {compared}.",
            icon=":material/trending_up:",
        )
    else:
        loss = f"loses {-gain.points:.1f} points" if gain.points else "gains nothing"
        st.warning(f"**Composing {loss} here.** {compared}.", icon=":material/trending_down:")


@st.cache_data(show_spinner=False, max_entries=20)
def _gain_comparison(_run: Run, key: str, measure: str) -> Comparison | None:
    return gain_comparison(_run, measure)


def _certainty(found: Comparison, measure: str) -> str:
    """How far a difference can be chance."""
    it = found.differences[0][measure]
    if not it.better and not it.worse:
        return "No query tells them apart"
    facts = (
        f"95 % interval in points: {interval(it)}{found.over and ', '}"
        f"{found.over}; "
        f"{count_of(it.better)} got better, {it.worse} worse"
    )
    return facts if it.p < LEVEL else f"{facts}: this may be chance"


def _notes(run: Run) -> None:
    """What the figures do not show."""
    absent, failed = run.part("absent"), run.document.get("failed")
    if any(absent.values()):
        st.caption(
            plain(
                f"Not in the gallery: {absent.get('references', 0)} reference images, "
                f"{absent.get('targets', 0)} targets and {absent.get('others', 0)} other images. "
                "They count as never found; fewer images make figures higher."
            )
        )
    if isinstance(failed, list) and failed:
        st.caption(f"Images of the gallery that could not be read: {len(failed)}.")
    for words in wording_words(run.part("wordings")):
        st.caption(plain(words))
    if run.part("settings").get("keep_reference"):
        st.caption("The reference image stayed in the ranking; it often takes the first rank.")


@st.cache_data(show_spinner=False, max_entries=20)
def _curves_of(_run: Run, _table: RankTable, key: str, group: str) -> dict[str, Curve]:
    return recall_curves(_run, _table)


def _curves(curves: Mapping[str, Curve]) -> None:
    if not curves:
        st.caption("This run came without its table of ranks (queries.csv): there are no curves.")
        return
    st.altair_chart(
        curves_chart(curves),
        alt="recall at k over k from 1 to 50, a line for each way to ask; the table has figures",
    )
    if any(curve.low for curve in curves.values()):
        st.caption(CURVE_WORDS)


def _groups(run: Run, table: RankTable | None, typed: str | None) -> None:
    """The groups beside each other in one measure."""
    groups = by_group(run, table, [] if typed is None else [typed])
    if not groups:
        return
    st.header("By group")
    values_of_all = [values for modes in groups.values() for values in modes.values()]
    names = dict.fromkeys([*run.metrics, *([] if typed is None else [typed])])
    given = [name for name in names if all(name in values for values in values_of_all)]
    if not given:
        return
    measure = st.selectbox(
        "Measure",
        given,
        index=given.index(usual_measure(given)),
        format_func=heading,
        width=320,
        key="metrics_group_measure",
    )
    values = {
        group: {MODE_NAMES[mode]: figures[measure] for mode, figures in modes.items()}
        for group, modes in groups.items()
    }
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.table(
            [
                {"Group": plain(group)} | {name: f"{value:.3f}" for name, value in row.items()}
                for group, row in list(values.items())[:MOST_ROWS]
            ],
            hide_index=True,
            border="horizontal",
            alt=f"{measure} by group, a column for each way to ask",
        )
        if len(values) > MOST_ROWS:
            st.caption(f"The first {MOST_ROWS} of {len(values)} groups; the figures have all.")
    with right:
        first = dict(list(values.items())[:_MOST_GROUPS])
        st.altair_chart(
            bars_chart(first, heading(measure)),
            alt=f"Bars of {measure} by group; the table beside has the figures",
        )
    found = _gain_comparison(run, run_key([run]), measure)
    if found is not None and found.groups[0]:
        _group_gains(found)


def _group_gains(found: Comparison) -> None:
    """What composing brings in each group, and how far that can be chance."""
    best = MODE_NAMES[found.contenders[0].mode].lower()
    st.markdown(f"**Composed minus {best}**")
    st.table(
        [
            {"Group": plain(name), **cluster_cells(found, it), **certain_cells(it)}
            for name, it in list(found.groups[0].items())[:MOST_ROWS]
        ],
        hide_index=True,
        border="horizontal",
        alt="What composing brings by group: points, interval and p",
    )
    said = plain(" ".join(found.group_words()))
    st.caption(f"{GROUP_WORDS}{over_groups(found)} {said}")


def _provenance(run: Run) -> None:
    """What the figures were made with; addresses of files are left out."""
    shown = made_with(run)
    if shown:
        with st.expander("What this run was made with", icon=":material/info:"):
            st.code(json.dumps(shown, indent=2), language="json")
