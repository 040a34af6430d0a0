"""How far a long piece of work is."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from cir.words import duration

WINDOW_SECONDS = 10.0
INDEXING = "Indexing"


@dataclass(frozen=True)
class Progress:
    """How far a piece of work is; as text, what a person reads of it.

    Attributes:
        stage: what is done to what, for people.
        done: things dealt with.
        total: of how many; None where that is not known, or nothing is counted.
        growing: whether more are still being looked for: there are at least `total`.
        failed: things that could not be dealt with.
        rate: things a second, 0 until it is known.
        remaining: seconds; None where rate or total is not known.
        waiting: what it waits for before it goes on; empty while it goes on.
    """

    stage: str
    done: int = 0
    total: int | None = None
    growing: bool = False
    failed: int = 0
    rate: float = 0.0
    remaining: float | None = None
    waiting: str = ""

    @property
    def share(self) -> float:
        """What is done of all that is known of, from 0 to 1."""
        return self.done / self.total if self.total else 0.0

    @property
    def counts(self) -> str:
        """For example "312 of 983" or "312 of at least 983"; empty where nothing is counted."""
        if self.total is None:
            return f"{self.done:,}" if self.done else ""
        return f"{self.done:,} of {'at least ' if self.growing else ''}{self.total:,}"

    @property
    def figures(self) -> str:
        """For example "312 of 983 · 85/s · 8 s left · 2 failed"; empty where nothing is counted."""
        parts = [self.counts] if self.counts else []
        if self.growing:
            parts.append("still looking")
        if self.rate and not self.waiting:
            parts.append(f"{self.rate:.{0 if self.rate >= 10 else 1}f}/s")
        if self.remaining and not self.waiting:
            parts.append(f"{duration(self.remaining)} left")
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        if self.waiting:
            parts.append(f"waiting for {self.waiting} to answer")
        return " · ".join(parts)

    def __str__(self) -> str:
        return f"{self.stage}: {self.figures}" if self.figures else self.stage


OnProgress = Callable[[Progress], None]
"""Hears of progress; what it raises stops the work."""


class ProgressTeller:
    """Counts things and tells a listener; the rate is that of the last `WINDOW_SECONDS`.

    An overall rate would mislead: a resumed ingest passes thousands of unchanged files at once,
    then encodes the rest at its own pace.

    Attributes:
        total, growing: as those of `Progress`; they may change while the work goes on.
    """

    def __init__(
        self, total: int | None, listener: OnProgress | None, *, stage: str = INDEXING
    ) -> None:
        self.total = total
        self.growing = False
        self._stage = stage
        self._listener = listener
        self._done = self._failed = 0
        self._marks: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])

    def count(self, done: int, *, failed: int = 0) -> None:
        """Count things that are dealt with, and tell."""
        self._done += done
        self._failed += failed
        now = time.monotonic()
        self._marks.append((now, self._done))
        while len(self._marks) > 2 and now - self._marks[0][0] > WINDOW_SECONDS:
            self._marks.popleft()
        if self._listener is not None:
            self._listener(self._progress(now))

    def wait(self, waiting: str) -> None:
        """Tell that the work waits, and what for."""
        if self._listener is not None:
            self._listener(replace(self._progress(time.monotonic()), waiting=waiting))

    def _progress(self, now: float) -> Progress:
        since, done_then = self._marks[0]
        rate = (self._done - done_then) / (now - since) if now > since else 0.0
        growing = self.growing  # before the total, which another thread may be adding to
        total = None if self.total is None else max(self.total, self._done)
        left = None if total is None or growing or not rate else (total - self._done) / rate
        return Progress(self._stage, self._done, total, growing, self._failed, rate, left)
