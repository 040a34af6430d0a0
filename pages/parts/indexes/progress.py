"""What runs, and what has just ended, on the Indexes page."""

import csv
import io
from collections.abc import Sequence

import streamlit as st

from cir.cells import safe_cell
from cir.errors import WayOut
from cir.jobs.background import Job
from cir.jobs.indexes import Indexed, IndexJobs, Moved, Rebuilt
from cir.progress import INDEXING, Progress
from cir.words import duration
from pages.parts.shell.move import offer_anew
from pages.parts.shell.navigation import SEARCH_FILE
from pages.parts.shell.session import choose_index, people_errors, plain, settings
from pages.parts.shell.watching import rerun_on_change

REFRESH_SECONDS = 1.0
FAILURES_SHOWN = 50
THUMBNAILS_NAMED = 10


def show_jobs(jobs: IndexJobs) -> None:
    """Every job of the indexes, also those that other tabs start while this one is open."""
    running = any(job.running for _, job in jobs.all())
    st.fragment(_show, run_every=REFRESH_SECONDS if running else None)(jobs, _state(jobs))
    if not running:
        rerun_on_change(lambda: _state(jobs))


def _show(jobs: IndexJobs, then: frozenset[tuple[str, float, str]]) -> None:
    with people_errors():
        if _state(jobs) != then:
            st.rerun()  # the list and the buttons of the whole page have changed
        for name, job in jobs.all():
            with st.container(border=True):
                if job.running:
                    _at_work(name, job)
                else:
                    _ended(name, job, jobs)


def _state(jobs: IndexJobs) -> frozenset[tuple[str, float, str]]:
    return frozenset((name, job.started, job.state) for name, job in jobs.all())


def _at_work(name: str, job: Job) -> None:
    progress = job.progress or Progress("Starting")
    st.markdown(f"**{plain(job.title)}**")
    st.progress(progress.share, text=plain(str(progress)))
    _failures(name, job)
    if job.stopping:
        st.caption("Stopping after this step …")
    else:
        st.button(
            "Cancel",
            key=f"cancel {name}",
            on_click=job.cancel,
            icon=":material/stop_circle:",
            help="What is done so far stays; it can be continued from there.",
        )


def _ended(name: str, job: Job, jobs: IndexJobs) -> None:
    match job.state:
        case "done":
            st.success(plain(_summary(name, job)), icon=":material/check_circle:")
            _strange(job)
        case "cancelled":
            st.warning(plain(_stopped(job)), icon=":material/pause_circle:")
        case _:
            st.error(plain(f"{job.title}: {job.error}{_kept(job)}"), icon=":material/error:")
    _failures(name, job)
    with st.container(horizontal=True, vertical_alignment="center"):
        if job.failures:
            st.download_button(
                "Failed files as CSV",
                _as_csv(job.failures),
                file_name="failed files.csv",
                mime="text/csv",
                key=f"csv {name}",
                on_click="ignore",
                icon=":material/download:",
            )
        _continue(name, job, jobs)
        if st.button("Dismiss", key=f"dismiss {name}", icon=":material/close:"):
            jobs.forget(name)
            st.rerun()


def _strange(job: Job) -> None:
    """Say where most pictures are nothing that the encoder knows."""
    from cir.indexing.strange import strange_note

    note = strange_note(job.result.report, settings()) if isinstance(job.result, Indexed) else None
    if note is not None:
        text, offered = note
        way = " Move the index to it: “Move to another encoder …”." if offered else ""
        st.warning(plain(text + way), icon=":material/help:")


def _continue(name: str, job: Job, jobs: IndexJobs) -> None:
    """A way on: to search what is done, or to go on with what is not."""
    if job.state == "done":
        if isinstance(job.result, Indexed | Moved | Rebuilt):
            _search_button(name)
        return
    info = next((each for each in jobs.store.list() if each.name == name), None)
    if info is None:
        return
    if job.cause is not None and WayOut.ENCODE_ANEW in job.cause.ways_out:
        offer_anew(info, jobs)
        return
    if not job.moving_to and (info.state == "ready" or info.source is None):
        return
    if st.button("Continue", key=f"continue {name}", type="primary", icon=":material/play_arrow:"):
        if job.moving_to:
            jobs.move(info, job.moving_to)
        else:
            jobs.update(info)
        st.rerun()


def _search_button(name: str) -> None:
    label = "Search in it"
    if st.button(
        label, key=f"search {name}", icon=":material/search:", on_click=choose_index, args=(name,)
    ):
        st.switch_page(SEARCH_FILE)


def _summary(name: str, job: Job) -> str:
    if isinstance(job.result, Rebuilt):
        return f"Rebuilt “{name}”. Its searches: {job.result.exactness}."
    if isinstance(job.result, Moved):
        return _moved(job.result)
    if not isinstance(job.result, Indexed):
        return f"Dropped “{name}”."
    report, received = job.result.report, job.result.received
    parts = [
        f"{count:,} {word}"
        for count, word in (
            (report.added, "added"),
            (report.updated, "updated"),
            (report.unchanged, "unchanged"),
            (report.removed, "removed"),
            (len(report.failed), "failed"),
        )
        if count
    ]
    text = f"“{name}”: {', '.join(parts) or 'nothing to do'}, in {duration(report.seconds)}."
    if report.matched or report.unmatched:
        text += f" Metadata for {report.matched:,} images"
        text += f", none for {report.unmatched:,}." if report.unmatched else "."
    if received is not None and received.known:
        text += f" {received.known:,} files were there twice and were kept once."
    if received is not None and received.left_out:
        text += f" {received.left_out:,} files in the zip are no images and were left out."
    return text


def _moved(done: Moved) -> str:
    report = done.report
    text = f"“{report.index}” is an index of {report.encoder} now: {report.images:,} images"
    text += f", {len(report.failed):,} failed" if report.failed else ""
    text += f", in {duration(report.seconds)}."
    if report.from_thumbnails:
        named = ", ".join(report.from_thumbnails[:THUMBNAILS_NAMED])
        more = len(report.from_thumbnails) - THUMBNAILS_NAMED
        text += " Encoded from thumbnails, as the files are not at hand or have changed: "
        text += f"{named} and {more:,} more." if more > 0 else f"{named}."
    return text


def _stopped(job: Job) -> str:
    if job.progress is None or job.progress.stage != INDEXING or not job.progress.done:
        return f"{job.title}: stopped before the first image."
    return f"{job.title}: stopped at {job.progress.counts}. What is done stays."


def _kept(job: Job) -> str:
    """What a failure left in the index."""
    if job.progress is None or job.progress.stage != INDEXING or not job.progress.done:
        return ""
    return f" It stopped at {job.progress.counts}; what is done stays."


def _failures(name: str, job: Job) -> None:
    """The failed files, the latest first."""
    failures = list(job.failures)
    if not failures:
        return
    with st.expander(f"{len(failures):,} failed", key=f"failed {name}", icon=":material/warning:"):
        lines = [
            f"- **{plain(path)}**: {plain(reason)}"
            for path, reason in reversed(failures[-FAILURES_SHOWN:])
        ]
        if len(failures) > FAILURES_SHOWN:
            lines.append(f"- and {len(failures) - FAILURES_SHOWN:,} before these; the CSV has all")
        st.markdown("\n".join(lines))


def _as_csv(failures: Sequence[tuple[str, str]]) -> bytes:
    """All failures; begins with a byte order mark, without which Excel misreads other letters."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("path", "reason"))
    writer.writerows(map(safe_cell, failure) for failure in failures)
    return text.getvalue().encode("utf-8-sig", "replace")
