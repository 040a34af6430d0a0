"""Several runs beside each other on the metrics page."""

from collections.abc import Sequence

import streamlit as st

from cir.errors import UsageError
from eval.ranks import COMPOSED, recall_curve
from eval.reading import Run, rank_table
from pages.common import plain
from pages.metrics_charts import curves_chart
from pages.metrics_run import NAMES, figure, heading

_CONDITIONS = {
    "split": "the split",
    "keep_reference": "whether the reference stays in the ranking",
    "allow_missing": "whether images may be absent",
}


def show_comparison(runs: Sequence[Run]) -> None:
    """The composed query's figures of runs of one labelled set, or why they do not compare."""
    st.header("Side by side")
    first, *others = runs
    if not all(first.same_set(other) for other in others):
        names = ", ".join(dict.fromkeys(run.set for run in runs))
        st.info(
            "These runs did not ask the same queries "
            f"({plain(names)}), so their figures do not compare. Choose runs of one labelled set.",
            icon=":material/difference:",
        )
        return
    st.table(
        [
            {"Run": plain(run.name), "Encoder": plain(run.encoder)}
            | {heading(name): figure(run.metrics, name) for name in NAMES}
            for run in runs
        ],
        hide_index=True,
        border="horizontal",
        alt="The composed query's figures, a row for each chosen run",
    )
    differing = _differing(runs)
    if differing:
        st.caption(f"The runs differ also in: {', '.join(differing)}.")
    curves = _curves(runs)
    if curves:
        st.altair_chart(
            curves_chart(curves),
            alt="recall at k of the composed query over k, a line for each chosen run",
        )


def _curves(runs: Sequence[Run]) -> dict[str, list[float]]:
    curves = {}
    for run in runs:
        try:
            table = rank_table(run)
        except UsageError:
            continue  # its own section says what is wrong with it
        if table is not None:
            curves[run.name] = recall_curve(table.ranks[COMPOSED])
    return curves


def _differing(runs: Sequence[Run]) -> list[str]:
    """What, beside the encoder, was not the same for all."""
    found = [
        words
        for name, words in _CONDITIONS.items()
        if len({str(run.part("settings").get(name)) for run in runs}) > 1
    ]
    if len({str(run.part("gallery").get("fingerprint")) for run in runs}) > 1:
        found.append("the images of the gallery")
    return found
