"""Charts of the metrics page; the tables beside them say the same."""

from collections.abc import Mapping, Sequence

import altair as alt
import streamlit as st

from eval.reporting.curve_svg import COLOURS, DASHES, TICKS

_BAR = 13
_SHARE_BAR = 26
# Blue to grey for what does without picture or without text; the others stand out from these.
_SHARES = ("#0072B2", "#56B4E9", "#8A9491", "#E69F00", "#009E73", "#CC79A7")
# Labels on a light and on a dark ground: Streamlit's own are too pale for WCAG AA on the light one.
_INK = {"light": "#4b5452", "dark": "#bcc4c1"}


def curves_chart(curves: Mapping[str, Sequence[float]]) -> alt.Chart:
    """recall@k over k, k on a logarithmic axis; a line for each name, the first one bold."""
    rows = [
        {"name": name, "k": k, "recall": value}
        for name, values in curves.items()
        for k, value in enumerate(values, 1)
    ]
    names, deepest = list(curves), max(map(len, curves.values()))
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_line(interpolate="monotone")
        .encode(
            x=alt.X(
                "k:Q",
                title="k",
                scale=alt.Scale(type="log", domain=[1, deepest], nice=False),
                axis=alt.Axis(values=list(TICKS)),
            ),
            y=alt.Y("recall:Q", title="recall@k", scale=alt.Scale(domain=[0, 1])),
            color=_colour(names, "stroke"),
            # Dashes as well as colours: not everybody tells the colours apart.
            strokeDash=alt.StrokeDash(
                "name:N",
                sort=names,
                legend=_legend(names, "stroke"),
                scale=alt.Scale(domain=names, range=[list(dash) for dash in DASHES]),
            ),
            strokeWidth=alt.condition(
                alt.FieldEqualPredicate(field="name", equal=names[0]), alt.value(3.5), alt.value(2)
            ),
            tooltip=[
                alt.Tooltip("name:N", title=" "),
                alt.Tooltip("k:Q"),
                alt.Tooltip("recall:Q", title="recall@k", format=".3f"),
            ],
        )
        .properties(height=340)
    )
    return _inked(chart)


def bars_chart(groups: Mapping[str, Mapping[str, float]], measure: str) -> alt.Chart:
    """One measure's value by group, a bar for each name in it."""
    rows = [
        {"group": group, "name": name, "value": value}
        for group, values in groups.items()
        for name, value in values.items()
    ]
    names = list(dict.fromkeys(name for values in groups.values() for name in values))
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar()
        .encode(
            y=alt.Y("group:N", title=None, sort=list(groups), axis=alt.Axis(labelLimit=140)),
            yOffset=alt.YOffset("name:N", sort=names),
            x=alt.X("value:Q", title=measure, scale=alt.Scale(domain=[0, 1])),
            color=_colour(names, "square"),
            tooltip=[
                alt.Tooltip("group:N"),
                alt.Tooltip("name:N", title=" "),
                alt.Tooltip("value:Q", title=measure, format=".3f"),
            ],
        )
        .properties(height=alt.Step(_BAR, **{"for": "offset"}))
    )
    return _inked(chart)


def shares_chart(groups: Mapping[str, Mapping[str, int]]) -> alt.Chart:
    """A bar for each group, cut into shares by its counts; every group has the same names."""
    names = list(next(iter(groups.values()), {}))
    rows = [
        {"group": group, "name": name, "count": count, "place": names.index(name)}
        for group, counts in groups.items()
        for name, count in counts.items()
    ]
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar()
        .encode(
            y=alt.Y("group:N", title=None, sort=list(groups), axis=alt.Axis(labelLimit=140)),
            x=alt.X(
                "count:Q",
                title="share of the queries",
                stack="normalize",
                axis=alt.Axis(format="%"),
            ),
            order=alt.Order("place:Q"),
            color=alt.Color(
                "name:N",
                sort=names,
                legend=_legend(names, "square"),
                scale=alt.Scale(domain=names, range=list(_SHARES)),
            ),
            tooltip=[
                alt.Tooltip("group:N"),
                alt.Tooltip("name:N", title="Solved by"),
                alt.Tooltip("count:Q", title="Queries"),
            ],
        )
        .properties(height=alt.Step(_SHARE_BAR))
    )
    return _inked(chart)


def _inked(chart: alt.Chart) -> alt.Chart:
    """The chart with labels that can be read."""
    ink = _INK["dark" if st.context.theme.type == "dark" else "light"]
    axes = chart.configure_axis(labelColor=ink, titleColor=ink)
    inked: alt.Chart = axes.configure_legend(labelColor=ink)
    return inked


def _colour(names: Sequence[str], symbol: str) -> alt.Color:
    scale = alt.Scale(domain=list(names), range=list(COLOURS))
    few = len(names) <= len(COLOURS)
    return alt.Color(
        "name:N",
        sort=list(names),
        legend=_legend(names, symbol),
        scale=scale if few else alt.Undefined,
    )


def _legend(names: Sequence[str], symbol: str) -> alt.Legend:
    # Above, where it takes no width from the chart on a narrow screen.
    columns = 2 if max(map(len, names)) < 15 else 1
    return alt.Legend(orient="top", title=None, symbolType=symbol, columns=columns, labelLimit=330)
