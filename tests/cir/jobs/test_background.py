"""Background work: one job a key, cancel, and what people hear of failures."""

import errno
import logging
import threading

import pytest

from cir.errors import UsageError
from cir.jobs.background import Job, JobCancelled, Jobs
from cir.progress import Progress

SECONDS = 10.0


def step(done: int) -> Progress:
    return Progress("Working", done, 100)


class Held:
    """Work that goes on until it is let go or cancelled."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()
        self.runs = 0

    def __call__(self, job: Job) -> str:
        self.runs += 1
        done = 0
        job.tell(step(done))
        self.begun.set()
        while not self.go.wait(0.01):
            done += 1
            job.tell(step(done))
        return "result"


def test_a_result_and_the_last_progress_stay_until_forgotten() -> None:
    jobs, held = Jobs(), Held()
    held.go.set()
    job = jobs.start("a", "Title", held)
    job.wait(SECONDS)
    assert (job.state, job.result, job.error) == ("done", "result", "")
    assert job.progress == step(0)
    assert job.ended is not None
    assert jobs.get("a") is job
    jobs.forget("a")
    assert jobs.get("a") is None


def test_a_key_has_one_job_at_a_time() -> None:
    jobs, held, other = Jobs(), Held(), Held()
    other.go.set()
    first = jobs.start("a", "One", held)
    assert held.begun.wait(SECONDS)
    assert jobs.start("a", "Two", other) is first
    assert jobs.start("b", "Three", other) is not first
    jobs.forget("a")
    assert jobs.get("a") is first, "a running job cannot be forgotten"
    held.go.set()
    first.wait(SECONDS)
    again = jobs.start("a", "Four", other)
    again.wait(SECONDS)
    assert again is not first
    assert (held.runs, other.runs) == (1, 2)


def test_many_threads_that_start_the_same_start_it_once() -> None:
    jobs, held = Jobs(), Held()
    found: list[Job] = []
    gate = threading.Barrier(8)

    def start() -> None:
        gate.wait(SECONDS)
        found.append(jobs.start("a", "One", held))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    held.go.set()
    found[0].wait(SECONDS)
    assert len({id(job) for job in found}) == 1
    assert held.runs == 1


def test_a_cancelled_job_stops_at_its_next_step() -> None:
    jobs, held = Jobs(), Held()
    job = jobs.start("a", "One", held)
    assert held.begun.wait(SECONDS)
    assert not job.stopping
    job.cancel()
    job.wait(SECONDS)
    assert (job.state, job.error, job.stopping) == ("cancelled", "", False)


def test_a_step_after_the_cancel_is_still_told() -> None:
    job = Job("a", "One")
    job.tell(Progress("Reading"))
    job.cancel()
    with pytest.raises(JobCancelled):
        job.tell(Progress("Writing"))
    assert job.progress == Progress("Writing")


def test_an_error_for_people_is_kept_as_its_sentence() -> None:
    def work(job: Job) -> None:
        raise UsageError("There is no folder x.")

    job = Jobs().start("a", "One", work)
    job.wait(SECONDS)
    assert (job.state, job.error) == ("failed", "There is no folder x.")


def test_what_nobody_foresaw_is_a_sentence_and_a_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def work(job: Job) -> None:
        raise ZeroDivisionError("secret")

    with caplog.at_level(logging.ERROR):
        job = Jobs().start("a", "One", work)
        job.wait(SECONDS)
    assert job.state == "failed"
    assert "did not foresee" in job.error
    assert "secret" not in job.error
    assert "ZeroDivisionError" in caplog.text


def test_a_full_disk_is_told_as_that() -> None:
    def work(job: Job) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "somewhere")

    job = Jobs().start("a", "One", work)
    job.wait(SECONDS)
    assert (job.state, job.error) == (
        "failed",
        "The server's disk is full. Make room, then try again.",
    )


def test_the_latest_job_comes_first() -> None:
    jobs, held = Jobs(), Held()
    held.go.set()
    for key in ("a", "b", "c"):
        jobs.start(key, key, held).wait(SECONDS)
    assert [job.key for job in jobs.all()] == ["c", "b", "a"]
