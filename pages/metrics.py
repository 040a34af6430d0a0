"""Metrics: the figures of evaluation runs, new runs, and runs from elsewhere."""

import hashlib
from dataclasses import replace

import streamlit as st

from cir.errors import UsageError
from eval.measures import MEASURES, explained, heading
from eval.runs.reading import MAX_BYTES, DamagedRun, Run, list_runs, open_upload
from pages.parts.metrics.compare import show_comparison
from pages.parts.metrics.delete import confirm_delete, offer_delete
from pages.parts.metrics.judging import show_judging
from pages.parts.metrics.new_run import run_sample, show_new_run
from pages.parts.metrics.progress import CHOSEN, WORDS, choose, is_running, rows_of, show_job
from pages.parts.metrics.run import show_run
from pages.parts.shell.navigation import started_by_app
from pages.parts.shell.server import megabytes
from pages.parts.shell.session import may_change, people_errors, plain, settings

_OPENED = "metrics_opened"
_UPLOADS = "metrics_uploads"
_NAMED_DAMAGED = 5


def show() -> None:
    """The page."""
    show_job()
    kept, damaged = list_runs(settings().runs_dir)
    runs = [*_opened().values(), *kept]
    if not runs:
        _no_run()
    with st.expander("New run", icon=":material/play_circle:"), people_errors(WORDS):
        show_new_run()
    with st.expander("Open a run", icon=":material/folder_open:"), people_errors(WORDS):
        _open_run()
    if runs and may_change():
        with st.expander("Judge results", icon=":material/rule:"), people_errors(WORDS):
            show_judging(runs)
    if runs:
        _show_runs(runs)
    _name_damaged(damaged)
    confirm_delete()


def _show_runs(runs: list[Run]) -> None:
    chosen = _pick_runs(runs)
    if not chosen:
        st.info("Choose a run in the list to see its figures.", icon=":material/touch_app:")
        return
    if len(chosen) == 1:
        show_run(chosen[0])
        return
    comparable = show_comparison(chosen)
    name = st.selectbox("Show in full", [run.name for run in chosen])
    one = next(run for run in chosen if run.name == name)
    show_run(one, chosen if comparable else ())


def _pick_runs(runs: list[Run]) -> list[Run]:
    """The list of runs; the newest is chosen until somebody chooses others."""
    st.header("Runs")
    names = [run.name for run in runs]
    # Rows are chosen by number: another list needs another state.
    key = f"metrics_runs_{hashlib.sha256(repr(names).encode()).hexdigest()[:12]}"
    event = st.dataframe(
        [_row(run, noted=any(each.note for each in runs)) for run in runs],
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": rows_of(names)}},
        column_config={
            "Run": st.column_config.TextColumn(width="medium"),
            "Set": st.column_config.TextColumn(
                width="small", help="The labelled set: queries, and which images answer them"
            ),
            "Encoder": st.column_config.TextColumn(
                help="What turned images and sentences into rows of numbers"
            ),
            **{
                str(measure): st.column_config.NumberColumn(
                    heading(str(measure)), format="%.3f", help=explained([str(measure)])
                )
                for measure in MEASURES
            },
        },
        key=key,
        alt="The runs, a row each, with recall at k and MRR of the composed query",
    )
    st.caption(
        "Figures of the composed query. Tick one run to see all of it, several to compare them."
    )
    chosen = [runs[row] for row in event.selection.rows if row < len(runs)]
    choose(chosen)
    return chosen


def _row(run: Run, *, noted: bool) -> dict[str, str | int | float | None]:
    return {
        "Run": run.name,
        "Set": run.set,
        "Encoder": run.encoder,
        **({"Note": run.note.partition("\n")[0]} if noted else {}),
        "Queries": run.queries,
        **{str(measure): run.metrics.get(str(measure)) for measure in MEASURES},
        "Date (UTC)": f"{run.date:%Y-%m-%d %H:%M}" if run.date else "",
    }


def _open_run() -> None:
    st.markdown(
        "A run of another Recompose, or of `python -m eval run` elsewhere: a zip of its folder, or "
        "its `run.json` alone. It is shown to you only, and not kept."
    )
    count: int = st.session_state.get(_UPLOADS, 0)
    upload = st.file_uploader(
        "Run",
        type=["zip", "json"],
        max_upload_size=megabytes(MAX_BYTES),
        # A new one after each run, so that it is empty again.
        key=f"metrics_open_{count}",
    )
    if upload is not None:
        try:
            run = open_upload(upload.name, upload.getvalue())
        except UsageError as error:
            raise UsageError(f"{upload.name} cannot be opened: {error}") from error
        _remember(run)
        st.session_state[_UPLOADS] = count + 1
        st.rerun()
    if _opened():
        st.button("Close the opened runs", on_click=_opened().clear, key="metrics_close")


def _opened() -> dict[str, Run]:
    """Runs that this session has opened, the latest first."""
    opened: dict[str, Run] = st.session_state.setdefault(_OPENED, {})
    return opened


def _remember(run: Run) -> None:
    run = replace(run, name=f"{run.name} (opened)")
    others = {name: other for name, other in _opened().items() if name != run.name}
    st.session_state[_OPENED] = {run.name: run} | others
    st.session_state[CHOSEN] = [run.name]


def _no_run() -> None:
    st.markdown("**There is no run yet.**")
    st.markdown(
        "A labelled set is a list of composed queries, each a reference image and an instruction, "
        "with the images that are right answers. A run asks them all and counts how often a right "
        "answer comes first, among the first five, and so on."
    )
    if may_change() and not is_running():
        if st.button("Run the sample", type="primary", icon=":material/play_arrow:"):
            run_sample()
        st.caption(
            "Draws a catalogue of a few hundred garments and asks its labelled set: a minute on "
            "two cores."
        )


def _name_damaged(damaged: list[DamagedRun]) -> None:
    if not damaged:
        return
    some = "; ".join(f"{one.name}: {one.reason}" for one in damaged[:_NAMED_DAMAGED])
    more = "; …" if len(damaged) > _NAMED_DAMAGED else ""
    st.caption(plain(f"Not shown, because they cannot be read ({len(damaged)}): {some}{more}"))
    for one in damaged[:_NAMED_DAMAGED]:
        offer_delete("run", one.folder.name, f"Delete {plain(one.name)} …")


with people_errors(WORDS):
    if started_by_app():
        show()
