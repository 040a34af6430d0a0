"""The document's figures, and the minimums that a person may demand."""

import pytest

from cir.errors import UsageError
from eval.labelled_set import LabelledQuery, LabelledSet
from eval.metrics import score
from eval.summary import figures, parse_minimum


def labelled(*groups: str) -> LabelledSet:
    queries = tuple(
        LabelledQuery(str(number), "a.jpg", "", {"t": 1}, group)
        for number, group in enumerate(groups)
    )
    return LabelledSet("set", "test", queries, "0")


HIT, MISS = score(["t"], {"t"}), score(["x"], {"t"})


def test_figures_are_means_over_all_and_over_each_group() -> None:
    scores = {"composed": {"0": HIT, "1": MISS, "2": HIT, "3": MISS}}
    document = figures(labelled("colour", "colour", "type", ""), scores)
    assert (document["queries"], document["metrics"]["recall@1"]) == (4, 0.5)
    counts = {name: group["queries"] for name, group in document["groups"].items()}
    assert counts == {"colour": 2, "type": 1, "(none)": 1}
    assert document["groups"]["type"]["mrr"] == 1.0
    assert "modes" not in document


def test_a_set_without_groups_has_none() -> None:
    assert figures(labelled("", ""), {"composed": {"0": HIT, "1": HIT}})["groups"] == {}


def test_ablations_are_given_by_mode() -> None:
    document = figures(labelled(""), {"composed": {"0": HIT}, "text": {"0": MISS}})
    assert document["modes"]["composed"] == document["metrics"]
    assert document["modes"]["text"]["recall@50"] == 0.0


def test_a_minimum_is_a_measure_and_a_number() -> None:
    assert parse_minimum("recall@10=0.7") == ("recall@10", 0.7)
    assert parse_minimum("mrr=1") == ("mrr", 1.0)


@pytest.mark.parametrize("text", ["recall@10", "recall@3=0.5", "mrr=x", "mrr=nan", "mrr=70", "="])
def test_a_minimum_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--min"):
        parse_minimum(text)
