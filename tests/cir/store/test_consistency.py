"""Which reads are Strong: a write is seen by whoever reads after it, whatever happened between."""

from contextlib import suppress

import pytest

from cir.store.consistency import Consistency, consistency_of


@pytest.fixture
def consistency() -> Consistency:
    return Consistency()


def level(consistency: Consistency, *, strong: bool = False) -> str:
    with consistency.reading("a", strong=strong) as asked:
        return asked


def write(consistency: Consistency) -> None:
    with consistency.writing("a"):
        pass


def test_the_first_read_and_the_first_after_a_write_are_strong(consistency: Consistency) -> None:
    assert [level(consistency) for _ in range(3)] == ["Strong", "Bounded", "Bounded"]
    write(consistency)
    assert [level(consistency) for _ in range(3)] == ["Strong", "Bounded", "Bounded"]
    assert level(consistency, strong=True) == "Strong"


def test_a_read_that_began_before_a_write_does_not_count(consistency: Consistency) -> None:
    with consistency.reading("a", strong=True):
        write(consistency)
    assert level(consistency) == "Strong"


def test_a_read_that_failed_does_not_count_and_a_write_that_failed_does(
    consistency: Consistency,
) -> None:
    with suppress(ValueError), consistency.reading("a", strong=False):
        raise ValueError
    assert [level(consistency) for _ in range(2)] == ["Strong", "Bounded"]
    with suppress(ValueError), consistency.writing("a"):
        raise ValueError
    assert level(consistency) == "Strong"


def test_collections_are_apart_and_forgotten_ones_begin_anew(consistency: Consistency) -> None:
    level(consistency)
    with consistency.writing("b"):
        pass
    assert level(consistency) == "Bounded"
    consistency.forget("a")
    assert level(consistency) == "Strong"


def test_one_place_has_one() -> None:
    assert consistency_of("here") is consistency_of("here") is not consistency_of("there")
