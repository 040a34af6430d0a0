"""Options of a search: what they refuse, weights and parts of a picture as text."""

from typing import Any

import pytest

from cir.errors import UsageError
from cir.search import USUAL, SearchOptions, bench_options
from cir.search.options import box_of, split_weight


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("red", ("red", 1.0)),
        ("red*0.5", ("red", 0.5)),
        ("a dress * 2", ("a dress", 2.0)),
        ("a*b.jpg", ("a*b.jpg", 1.0)),
        ("a*b.jpg*.25", ("a*b.jpg", 0.25)),
        ("*2", ("*2", 1.0)),
        ("", ("", 1.0)),
    ],
)
def test_a_weight_stands_after_a_star(text: str, expected: tuple[str, float]) -> None:
    assert split_weight(text) == expected


@pytest.mark.parametrize(
    ("crop", "box"),
    [("", None), (" ", None), ("0,0,1,0.5", (0, 0, 1, 0.5)), (" .1, .2 ,.3,1", (0.1, 0.2, 0.3, 1))],
)
def test_a_crop_names_four_sides(crop: str, box: tuple[float, ...] | None) -> None:
    assert box_of(crop) == box


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"balance": 1.1}, "balance goes from 0 to 1"),
        ({"balance": -0.1}, "balance goes from 0 to 1"),
        ({"balance": float("nan")}, "balance goes from 0 to 1"),
        ({"limit": 0}, "limit goes from 1 to 16384"),
        ({"turn": 45}, "turned by 0, 90, 180 or 270 degrees, not 45"),
        ({"crop": "0,0,1"}, "'0,0,1' names no part"),
        ({"crop": "0.5,0,0.5,1"}, "names no part"),
        ({"crop": "0,0,1,1.5"}, "names no part"),
        ({"crop": "nan,0,1,1"}, "names no part"),
        ({"crop": "left"}, "names no part"),
        ({"less": ["red*0"]}, r"weight in 'red\*0' must be a number above 0, at most 10"),
        ({"less": ["red*-1"]}, "weight"),
        ({"less_image": ["a.jpg*1.2.3"]}, "weight"),
        ({"rerank_weight": 1.5}, "rerank_weight goes from 0 to 1"),
        ({"rerank_depth": 0}, "rerank_depth goes from 1 to 500"),
        ({"rerank": "words", "words": True}, "choose one of the two"),
    ],
    ids=str,
)
def test_an_option_out_of_range_is_one_sentence(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words) as raised:
        SearchOptions(**options)
    assert str(raised.value).endswith(".")


def test_one_text_is_a_list_of_one() -> None:
    assert SearchOptions(where="a=b", less="red") == SearchOptions(where=["a=b"], less=["red"])
    assert SearchOptions() == USUAL


def test_the_bench_is_told_what_changes_the_row() -> None:
    names = {each.name for each in bench_options()}
    assert {"balance", "less", "less_image", "crop", "turn", "rerank"} <= names
    assert not {"limit", "where"} & names
