"""Thresholds, copies and near-duplicates folded, one result a group: on both backends."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cir.errors import UsageError
from cir.search import SearchOptions
from cir.search.folding import check, shown
from cir.store import Hit, MilvusIndex, MilvusStore
from tests.cir.store.conftest import store
from tests.cir.store.samples import COLUMNS, DIM, row, unit

__all__ = ["store"]  # a fixture

QUERY = unit(1.0)


@pytest.fixture(scope="module")
def one_index(store: MilvusStore) -> Iterator[MilvusIndex]:
    """One index a backend, because making one takes a server seconds."""
    yield store.create("folding", encoder="test", fingerprint="0", dim=DIM, columns=COLUMNS)
    store.drop("folding")  # other tests list what is in that Milvus


@pytest.fixture
def index(one_index: MilvusIndex) -> MilvusIndex:
    """An empty index with the sample columns."""
    one_index.delete([record.id for record in one_index.iterate()])
    return one_index


def at(degrees: float, turned: float = 0) -> NDArray[np.float32]:
    """A unit vector so many degrees away from the query, in one direction or another."""
    angle, around = math.radians(degrees), math.radians(turned)
    return unit(
        math.cos(angle), math.sin(angle) * math.cos(around), math.sin(angle) * math.sin(around)
    )


def ask(index: MilvusIndex, where: Sequence[str] = (), **told: Any) -> list[Hit]:
    options = SearchOptions(**told)
    check(index, options)
    conditions = index.conditions(where)
    return shown(
        index,
        lambda limit, further: index.search_vectors(QUERY[None], limit, [*conditions, *further])[0],
        options,
        conditions,
    )


def paths(hits: Sequence[Hit]) -> list[str]:
    return [hit.path for hit in hits]


def test_nothing_below_the_threshold_is_shown(index: MilvusIndex) -> None:
    index.upsert([row(f"{degrees}.jpg", at(degrees)) for degrees in (0, 10, 30, 60)])
    assert paths(ask(index, threshold=math.cos(math.radians(31)))) == ["0.jpg", "10.jpg", "30.jpg"]
    assert ask(index, threshold=0.5, limit=2) == ask(index, limit=2)
    assert ask(index, threshold=1.0, where=["colour=none"]) == []


def test_exact_copies_stand_under_the_first(index: MilvusIndex) -> None:
    rows = [
        row(f"{name}.jpg", at(10 * number), content_of=name[0])
        for number, name in enumerate(("a1", "b1", "a2", "c1", "b2", "a3"))
    ]
    index.upsert(rows)
    hits = ask(index, distinct=True)
    assert paths(hits) == ["a1.jpg", "b1.jpg", "c1.jpg"]
    assert [paths(hit.folded) for hit in hits] == [["a2.jpg", "a3.jpg"], ["b2.jpg"], []]
    assert hits[0].folded[0].score == pytest.approx(math.cos(math.radians(20)), abs=1e-5)


def test_the_limit_counts_what_is_shown(index: MilvusIndex) -> None:
    rows = [
        row(f"{number:03}.jpg", at(number / 10), content_of=str(number // 150))
        for number in range(600)
    ]
    index.upsert(rows)
    hits = ask(index, distinct=True, limit=3)
    assert paths(hits) == ["000.jpg", "150.jpg", "300.jpg"]
    assert [len(hit.folded) for hit in hits[:2]] == [149, 149]


def test_near_duplicates_stand_under_the_best(index: MilvusIndex) -> None:
    index.upsert(
        [
            row("best.jpg", at(20)),
            row("near.jpg", at(23)),
            row("as far from the query, elsewhere.jpg", at(20.5, 180)),
            row("copy.jpg", at(60), content_of="best.jpg"),
        ]
    )
    hits = ask(index, fold=True)
    assert paths(hits) == ["best.jpg", "as far from the query, elsewhere.jpg"]
    assert paths(hits[0].folded) == ["near.jpg", "copy.jpg"]


def test_a_group_gives_its_best_image_and_its_size(index: MilvusIndex) -> None:
    colours = ["red"] * 150 + ["blue"] * 3 + [None] * 150 + ['o\'brien "x"']
    index.upsert(
        [
            row(f"{number:03}.jpg", at(number / 4), {} if colour is None else {"colour": colour})
            for number, colour in enumerate(colours)
        ]
    )
    hits = ask(index, group_by="colour")
    assert [(hit.path, hit.group_size) for hit in hits] == [
        ("000.jpg", 150),
        ("150.jpg", 3),
        ("153.jpg", 150),
        ("303.jpg", 1),
    ]
    assert [hit.path for hit in ask(index, group_by="colour", limit=2)] == ["000.jpg", "150.jpg"]
    narrowed = ask(index, where=["colour!=red"], group_by="colour")
    assert [hit.group_size for hit in narrowed] == [3, 150, 1]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("year", [2011, None, -5, 2011]),
        ("price", [0.5, None, -1e300, 0.5]),
        ("new", [True, None, False, True]),
    ],
)
def test_groups_of_every_type(index: MilvusIndex, column: str, values: list[Any]) -> None:
    index.upsert(
        [
            row(f"{number}.jpg", at(number), {} if value is None else {column: value})
            for number, value in enumerate(values)
        ]
    )
    hits = ask(index, group_by=column)
    assert [(hit.metadata.get(column), hit.group_size) for hit in hits] == [
        (values[0], 2),
        (values[1], 1),
        (values[2], 1),
    ]


def test_many_copies_of_one_picture_leave_nothing_to_look_at_and_end(index: MilvusIndex) -> None:
    index.upsert(
        [row(f"{number:03}.jpg", at(0), {"year": number}, content_of="a") for number in range(130)]
    )
    assert paths(ask(index, fold=True)) == ["000.jpg"]
    assert paths(ask(index, distinct=True, group_by="year")) == ["000.jpg"]
    assert paths(ask(index, fold=True, group_by="year", threshold=0.5)) == ["000.jpg"]


def test_many_images_without_a_yes_or_no_are_one_group(index: MilvusIndex) -> None:
    new = [True] + [None] * 130 + [False]
    index.upsert(
        [
            row(f"{number:03}.jpg", at(number / 2), {} if value is None else {"new": value})
            for number, value in enumerate(new)
        ]
    )
    hits = ask(index, group_by="new")
    assert [(hit.path, hit.group_size) for hit in hits] == [
        ("000.jpg", 1),
        ("001.jpg", 130),
        ("131.jpg", 1),
    ]


def test_with_words_an_image_that_is_close_may_stand_far_below(index: MilvusIndex) -> None:
    far = [hit(f"{number:03}.jpg", 0.1) for number in range(150)]
    ranking = [*far, hit("close.jpg", 0.99)]
    options = SearchOptions(words=True, threshold=0.9)
    found = shown(index, lambda limit, _: ranking[:limit], options, [])
    assert paths(found) == ["close.jpg"]


def hit(path: str, score: float) -> Hit:
    return Hit(path, path, score, {})


def test_an_unknown_column_to_group_by_is_told_the_columns(index: MilvusIndex) -> None:
    with pytest.raises(UsageError, match=r'no column "color" to group by.*colour'):
        ask(index, group_by="color")


def test_images_that_meet_conditions_are_counted(index: MilvusIndex) -> None:
    index.upsert([row(f"{year}.jpg", at(1), {"year": year}) for year in (2010, 2011, 2012)])
    assert index.count() == 3
    assert index.count(["year>=2011"]) == 2
    assert index.group_sizes("year", ["year>=2011"]) == {2010: 0, 2011: 1, 2012: 1, None: 0}
