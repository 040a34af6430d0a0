"""Rates and remaining times that people can believe."""

import pytest

from cir.progress import Progress, ProgressTeller


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, as a list of one number that a test sets."""
    now = [100.0]
    monkeypatch.setattr("cir.progress.time.monotonic", lambda: now[0])
    return now


def test_counts_add_up(clock: list[float]) -> None:
    told: list[Progress] = []
    teller = ProgressTeller(10, told.append)
    teller.count(4, encoded=3, failed=1)
    clock[0] += 2
    teller.count(2, encoded=2)
    last = told[-1]
    assert (last.done, last.total, last.encoded, last.failed) == (6, 10, 5, 1)
    assert last.rate == 3.0
    assert last.remaining == pytest.approx(4 / 3)


def test_a_fast_beginning_is_soon_forgotten(clock: list[float]) -> None:
    told: list[Progress] = []
    teller = ProgressTeller(100_000, told.append)
    clock[0] += 1
    teller.count(50_000)
    for _ in range(20):
        clock[0] += 1
        teller.count(5)
    assert told[-1].rate == pytest.approx(5, rel=0.2)


def test_no_rate_no_promise(clock: list[float]) -> None:
    told: list[Progress] = []
    ProgressTeller(5, told.append).count(1)
    assert (told[0].rate, told[0].remaining) == (0.0, None)


def test_more_than_was_foreseen_never_passes_the_total(clock: list[float]) -> None:
    told: list[Progress] = []
    clock[0] += 1
    teller = ProgressTeller(1, told.append)
    clock[0] += 1
    teller.count(3)
    assert (told[0].done, told[0].total, told[0].remaining) == (3, 3, 0.0)


def test_nobody_need_listen() -> None:
    ProgressTeller(1, None).count(1)
