"""Background work with progress and cancel, for the pages: one job a key at a time.

Jobs belong to the process, not to a browser session: a page that is left, run again or opened in a
second tab finds the same job.
"""

import errno
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from cir.errors import RecomposeError
from cir.progress import Progress

log = logging.getLogger(__name__)
JobState = Literal["running", "done", "failed", "cancelled"]


class JobCancelled(Exception):
    """Raised inside the work when somebody has asked it to stop."""


@dataclass
class Job:
    """One piece of work; its fields are read by pages while a thread writes them.

    Attributes:
        key: what it works on; one job runs for a key.
        title: what it does, for people.
        state: "running", then one of the others.
        progress: the last that the work told of what it is at.
        failures: path and reason of each file that failed, as they come.
        result: what the work returned.
        error: why it failed, a sentence.
        moving_to: encoder to which an index moves, "" for other work: who goes on with it asks for
            that anew.
        cause: the error behind it, which faces may word; None where nobody foresaw it.
        started, ended: seconds since the epoch.
    """

    key: str
    title: str
    state: JobState = "running"
    progress: Progress | None = None
    failures: list[tuple[str, str]] = field(default_factory=list)
    result: Any = None
    error: str = ""
    cause: RecomposeError | None = None
    moving_to: str = ""
    started: float = field(default_factory=time.time)
    ended: float | None = None
    _stop: threading.Event = field(default_factory=threading.Event, repr=False)
    _thread: threading.Thread | None = field(default=None, repr=False)

    @property
    def running(self) -> bool:
        """Whether the work goes on."""
        return self.state == "running"

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop and has not yet."""
        return self.running and self._stop.is_set()

    def cancel(self) -> None:
        """Ask the work to stop at its next step."""
        self._stop.set()

    def tell(self, progress: Progress) -> None:
        """Take the work's progress.

        Raises:
            JobCancelled: somebody has asked the work to stop.
        """
        self.progress = progress
        if self._stop.is_set():
            raise JobCancelled

    def wait(self, seconds: float | None = None) -> None:
        """Wait for the end of the work."""
        if self._thread is not None:
            self._thread.join(seconds)


class Jobs:
    """The jobs of a process, by key. Safe to share between threads."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    def start(self, key: str, title: str, work: Callable[[Job], Any]) -> Job:
        """Run `work(job)` in a thread; where a job of this key is running, give that one instead.

        The work calls `job.tell` at each step, and lets JobCancelled pass.
        """
        with self._lock:
            held = self._jobs.get(key)
            if held is not None and held.running:
                return held
            job = Job(key, title)
            self._jobs[key] = job
            job._thread = threading.Thread(
                target=_run, args=(job, work), name=f"job {title}", daemon=True
            )
            job._thread.start()
            return job

    def get(self, key: str) -> Job | None:
        """The running or last job of a key."""
        with self._lock:
            return self._jobs.get(key)

    def all(self) -> list[Job]:
        """Every job that has not been forgotten, the latest first."""
        with self._lock:
            return sorted(self._jobs.values(), key=lambda job: job.started, reverse=True)

    def forget(self, key: str) -> None:
        """Drop the memory of a job that has ended."""
        with self._lock:
            held = self._jobs.get(key)
            if held is not None and not held.running:
                del self._jobs[key]


def _run(job: Job, work: Callable[[Job], Any]) -> None:
    state: JobState = "failed"
    try:
        job.result = work(job)
        state = "done"
    except JobCancelled:
        state = "cancelled"
    except RecomposeError as error:
        job.error, job.cause = str(error), error
    except Exception as error:  # the boundary of a thread: nobody else would hear of it
        log.exception("the job %r failed", job.title)
        job.error = "Something went wrong that Recompose did not foresee; the server's log tells."
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            job.error = "The server's disk is full. Make room, then try again."
    finally:
        job.ended = time.time()
        job.state = state  # last: who sees the end sees all of it


JOBS = Jobs()
"""The jobs of this process."""
