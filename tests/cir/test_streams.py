"""Looking ahead stays within its limit."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from cir.parallel import ahead, batched


def test_results_come_in_order_and_never_more_than_the_limit_are_outstanding() -> None:
    asked = given = most = 0

    def items() -> Iterator[int]:
        nonlocal asked, most
        for number in range(50):
            asked += 1
            most = max(most, asked - given)
            yield number

    with ThreadPoolExecutor(4) as pool:
        for expected, result in enumerate(ahead(pool, lambda number: number * 10, items(), 7)):
            given += 1
            assert result == expected * 10
    assert (asked, given, most) == (50, 50, 7)


def test_closing_cancels_what_has_not_begun() -> None:
    may_go_on = threading.Event()
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        if number:
            may_go_on.wait(30)
        return number

    with ThreadPoolExecutor(1) as pool:
        results = ahead(pool, work, range(20), 10)
        assert next(results) == 0
        results.close()
        may_go_on.set()
    assert len(begun) <= 2


def test_an_error_of_the_work_reaches_the_reader() -> None:
    with ThreadPoolExecutor(2) as pool, pytest.raises(ZeroDivisionError):
        list(ahead(pool, lambda number: 1 // number, [1, 0], 4))


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (2, [2]), (3, [3]), (7, [3, 3, 1])], ids=str)
def test_batches_are_full_but_the_last(count: int, sizes: list[int]) -> None:
    groups = list(batched(range(count), 3))
    assert [len(group) for group in groups] == sizes
    assert [item for group in groups for item in group] == list(range(count))
