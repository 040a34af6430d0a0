"""Wall-clock times of the stages of a run."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Wall-clock seconds of named stages, and of the whole since it was made."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._stages: dict[str, float] = {}

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Time what happens in a `with` statement; what came before under this name is added."""
        start = time.perf_counter()
        yield
        self._stages[stage] = self._stages.get(stage, 0.0) + time.perf_counter() - start

    def seconds(self) -> dict[str, float]:
        """Seconds of each stage in the order they first ended, then `total`, to the millisecond."""
        stages = self._stages | {"total": time.perf_counter() - self._start}
        return {stage: round(value, 3) for stage, value in stages.items()}
