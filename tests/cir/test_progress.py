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
    teller.count(4, failed=1)
    clock[0] += 2
    teller.count(2)
    last = told[-1]
    assert (last.done, last.total, last.failed) == (6, 10, 1)
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


def test_a_total_that_grows_promises_no_end(clock: list[float]) -> None:
    told: list[Progress] = []
    teller = ProgressTeller(0, told.append)
    teller.growing = True
    for total in (10, 20):
        clock[0] += 1
        teller.total = total
        teller.count(5)
    teller.growing = False
    teller.count(0)
    assert [(each.done, each.total, each.growing) for each in told] == [
        (5, 10, True), (10, 20, True), (10, 20, False),
    ]  # fmt: skip
    assert [each.remaining for each in told] == [None, None, 2.0]


@pytest.mark.parametrize(
    ("progress", "text", "share"),
    [
        (Progress("Loading"), "Loading", 0.0),
        (Progress("Fetching", 12, rate=4.25), "Fetching: 12 · 4.2/s", 0.0),
        (Progress("Fetching", 0, 0), "Fetching: 0 of 0", 0.0),
        (Progress("Asking", 3, 12), "Asking: 3 of 12", 0.25),
        (
            Progress("Indexing", 500, 2000, False, 2, 85.4, 8.0),
            "Indexing: 500 of 2,000 · 85/s · 8 s left · 2 failed",
            0.25,
        ),
        (
            Progress("Indexing", 500, 2000, True, rate=85.4),
            "Indexing: 500 of at least 2,000 · still looking · 85/s",
            0.25,
        ),
    ],
)
def test_progress_reads_as_a_line(progress: Progress, text: str, share: float) -> None:
    assert str(progress) == text
    assert progress.share == share


def test_nobody_need_listen() -> None:
    ProgressTeller(1, None).count(1)


def test_a_wait_is_told_with_what_is_done_and_ends_with_the_next_count() -> None:
    told: list[Progress] = []
    teller = ProgressTeller(20, told.append)
    teller.count(6)
    teller.wait("Milvus at x")
    teller.count(2)
    assert str(told[1]) == "Indexing: 6 of 20 · waiting for Milvus at x to answer"
    assert [each.done for each in told] == [6, 6, 8]
    assert told[2].waiting == ""
