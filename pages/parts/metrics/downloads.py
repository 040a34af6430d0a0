"""What can be taken away of a run on the metrics page."""

from collections.abc import Callable, Mapping
from functools import partial

import streamlit as st

from cir.errors import UsageError
from eval.comparison.curves import Curve
from eval.reporting.figures import curves_png, curves_svg
from eval.reporting.page import report_page
from eval.reporting.tables import SUFFIXES, TableKind, run_table
from eval.runs.rankings import has_submission, submission
from eval.runs.ranks import COMPOSED, RankTable, figures_csv
from eval.runs.reading import Run
from pages.parts.shell.session import is_local, plain, session_settings

Content = str | bytes | Callable[[], str | bytes]


def download(label: str, data: Content, name: str, kind: str) -> None:
    """A button that gives a file; a function is called when it is pressed."""
    st.download_button(
        label,
        data,
        file_name=name,
        mime=kind,
        icon=":material/download:",
        on_click="ignore",
        key=f"download {name}",
    )


def offer_figure(label: str, name: str, svg: Callable[[], str], png: Callable[[], bytes]) -> None:
    """Buttons for a figure, as a drawing and as a picture."""
    with st.container(horizontal=True, gap="small"):
        download(f"{label} (SVG)", svg, f"{name}.svg", "image/svg+xml")
        download(f"{label} (PNG)", png, f"{name}.png", "image/png")


def offer_tables(
    label: str, name: str, csv: Callable[[], str], table: Callable[[TableKind], str]
) -> None:
    """A choice of forms of one table: for a spreadsheet, for a page, for a paper."""
    with st.popover(label, icon=":material/table_view:"):
        download(f"{label} (CSV)", csv, f"{name}.csv", "text/csv")
        for kind, suffix in SUFFIXES.items():
            title = {"markdown": "Markdown", "latex": "LaTeX"}[kind]
            download(f"{label} ({title})", partial(table, kind), f"{name}.{suffix}", "text/plain")


def offer_downloads(run: Run, table: RankTable | None, curves: Mapping[str, Curve]) -> None:
    """Tables, figure, report and, of a run on disk, rankings and submissions."""
    with st.container(horizontal=True, gap="small"):
        offer_tables(
            "Figures",
            f"{run.name}-figures",
            lambda: figures_csv(run, table),
            partial(run_table, run),
        )
        if curves:
            offer_figure(
                "Curves",
                f"{run.name}-recall",
                lambda: curves_svg(curves),
                lambda: curves_png(curves),
            )
        now, local = session_settings(), is_local()
        download(
            "Report (HTML)",
            lambda: report_page(run, now, local=local)[0],
            f"{run.name}.html",
            "text/html",
        )
        if run.folder is not None:
            trec = run.folder / f"{COMPOSED}.trec"
            download("Rankings (TREC)", trec.read_bytes, f"{run.name}.trec", "text/plain")
    if has_submission(run):
        _submissions(run)


def _submissions(run: Run) -> None:
    """Files for the test server of the run's benchmark."""
    if not st.toggle("Files for the benchmark's test server", key="metrics_submission"):
        return
    try:
        files = submission(run)
    except UsageError as error:
        st.info(plain(str(error)), icon=":material/info:")
        return
    with st.container(horizontal=True, gap="small"):
        for name, content in files.items():
            download(name, content, f"{run.name}-{name}", "application/json")
