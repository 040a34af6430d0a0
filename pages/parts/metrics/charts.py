"""Charts of the metrics page; the tables beside them say the same."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import streamlit as st

from eval.comparison.curves import Curve, undominated
from eval.reporting.figures import BAND, COLOURS, DASHES, TICKS

_BAR = 13
_SHARE_BAR = 26
# Blue to grey for what does without picture or without text; the others stand out from these.
_SHARES = ("#0072B2", "#56B4E9", "#8A9491", "#E69F00", "#009E73", "#CC79A7")
# Labels on a light and on a dark ground: Streamlit's own are too pale for WCAG AA on the light one.
_INK = {"light": "#4b5452", "dark": "#bcc4c1"}


def curves_chart(curves: Mapping[str, Curve]) -> alt.LayerChart:
    """recall@k over k, k on a logarithmic axis; a line for each name, the first one bold.

    What is pale around a line is its interval.
    """
    rows = [
        {"name": name, "k": k, "recall": value, "low": low, "high": high}
        for name, curve in curves.items()
        for k, (value, low, high) in enumerate(
            zip(curve.values, curve.low or curve.values, curve.high or curve.values, strict=True), 1
        )
    ]
    names, deepest = list(curves), max(len(each.values) for each in curves.values())
    across = alt.X(
        "k:Q",
        title="k",
        scale=alt.Scale(type="log", domain=[1, deepest], nice=False),
        axis=alt.Axis(values=list(TICKS)),
    )
    base = alt.Chart(alt.InlineData(values=rows))
    bands = base.mark_area(interpolate="monotone", opacity=BAND).encode(
        x=across,
        y=alt.Y("low:Q", title="recall@k", scale=alt.Scale(domain=[0, 1])),
        y2="high:Q",
        color=_colour(names, "stroke"),
    )
    lines = base.mark_line(interpolate="monotone").encode(
        x=across,
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
            alt.Tooltip("low:Q", title="95 % from", format=".3f"),
            alt.Tooltip("high:Q", title="to", format=".3f"),
        ],
    )
    drawn: alt.LayerChart = _inked(alt.layer(bands, lines).properties(height=340))
    return drawn


def costs_chart(points: Mapping[str, tuple[float, float]], measure: str) -> alt.LayerChart:
    """Quality over milliseconds a query on a logarithmic axis; what no other beats is filled.

    Args:
        points: name -> milliseconds and value.
        measure: name of the value.
    """
    front = undominated(points)
    rows = [
        {"name": name, "cost": cost, "value": value, "front": name in front}
        for name, (cost, value) in points.items()
    ]
    names = list(points)
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X(
            "cost:Q",
            title="milliseconds a query",
            scale=alt.Scale(type="log", padding=24),
            axis=alt.Axis(format="~g", tickCount=5),
        ),
        y=alt.Y("value:Q", title=measure, scale=alt.Scale(domain=[0, 1])),
    )
    line = base.transform_filter("datum.front").mark_line(
        strokeDash=[2, 2], color=_SHARES[2], interpolate="step-after"
    )
    dots = base.mark_point(size=110, strokeWidth=2, opacity=1).encode(
        color=_colour(names, "circle"),
        fill=alt.condition(
            "datum.front",
            alt.Color("name:N", scale=_scale(names), legend=None),
            alt.value("transparent"),
        ),
        tooltip=[
            alt.Tooltip("name:N", title=" "),
            alt.Tooltip("cost:Q", title="ms a query", format=".3~g"),
            alt.Tooltip("value:Q", title=measure, format=".3f"),
        ],
    )
    drawn: alt.LayerChart = _inked(alt.layer(line, dots).properties(height=340))
    return drawn


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
    drawn: alt.Chart = _inked(chart)
    return drawn


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
    drawn: alt.Chart = _inked(chart)
    return drawn


def _inked(chart: Any) -> Any:
    """The chart with labels that can be read."""
    ink = _INK["dark" if st.context.theme.type == "dark" else "light"]
    axes = chart.configure_axis(labelColor=ink, titleColor=ink)
    return axes.configure_legend(labelColor=ink)


def _colour(names: Sequence[str], symbol: str) -> alt.Color:
    return alt.Color("name:N", sort=list(names), legend=_legend(names, symbol), scale=_scale(names))


def _scale(names: Sequence[str]) -> Any:
    few = len(names) <= len(COLOURS)
    return alt.Scale(domain=list(names), range=list(COLOURS)) if few else alt.Undefined


def _legend(names: Sequence[str], symbol: str) -> alt.Legend:
    # Above, where it takes no width from the chart on a narrow screen.
    columns = 2 if max(map(len, names)) < 15 else 1
    return alt.Legend(orient="top", title=None, symbolType=symbol, columns=columns, labelLimit=280)
