"""How far a long piece of work is."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

WINDOW_SECONDS = 10.0
INDEXING = "Indexing"


@dataclass(frozen=True)
class Progress:
    """How far a piece of work is: things done of all, images encoded, failures, and how fast.

    `rate` is things a second; `remaining` seconds, None until there is a rate; `stage` says what is
    done to what, for people.
    """

    done: int
    total: int
    encoded: int
    failed: int
    rate: float
    remaining: float | None
    stage: str = INDEXING


class ProgressTeller:
    """Counts files and tells a listener; the rate is that of the last `WINDOW_SECONDS`.

    An overall rate would mislead: a resumed ingest passes thousands of unchanged files at once,
    then encodes the rest at its own pace.
    """

    def __init__(
        self,
        total: int,
        listener: Callable[[Progress], None] | None,
        *,
        stage: str = INDEXING,
    ) -> None:
        self._total = total
        self._stage = stage
        self._listener = listener
        self._done = self._encoded = self._failed = 0
        self._marks: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])

    def count(self, done: int, *, encoded: int = 0, failed: int = 0) -> None:
        """Count files that are dealt with, and tell."""
        self._done += done
        self._encoded += encoded
        self._failed += failed
        now = time.monotonic()
        self._marks.append((now, self._done))
        while len(self._marks) > 2 and now - self._marks[0][0] > WINDOW_SECONDS:
            self._marks.popleft()
        if self._listener is not None:
            self._listener(self._progress(now))

    def _progress(self, now: float) -> Progress:
        since, done_then = self._marks[0]
        rate = (self._done - done_then) / (now - since) if now > since else 0.0
        left = max(0, self._total - self._done)
        return Progress(
            done=self._done,
            total=max(self._total, self._done),
            encoded=self._encoded,
            failed=self._failed,
            rate=rate,
            remaining=left / rate if rate > 0 else None,
            stage=self._stage,
        )
