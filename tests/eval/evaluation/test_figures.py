"""Figures of a run as a document."""

from eval.evaluation.scoring import depth_notes, figures
from eval.measures import MEASURES, RecallSubset, Values, judge, score
from eval.sets.labelled import LabelledQuery, LabelledSet


def labelled(*groups: str) -> LabelledSet:
    queries = tuple(
        LabelledQuery(str(number), "a.jpg", "", {"t": 1}, group)
        for number, group in enumerate(groups)
    )
    return LabelledSet("set", "test", queries, "0")


def values(*hits: bool) -> dict[str, Values]:
    return score(judge(["t" if hit else "x" for hit in hits], [{"t": 1}] * len(hits)))


def test_figures_are_means_over_all_and_over_each_group() -> None:
    scores = {"composed": values(True, False, True, False)}
    document = figures(labelled("colour", "colour", "type", ""), scores)
    assert (document["queries"], document["metrics"]["recall@1"]) == (4, 0.5)
    counts = {name: group["queries"] for name, group in document["groups"].items()}
    assert counts == {"colour": 2, "type": 1, "(none)": 1}
    assert document["groups"]["type"]["mrr"] == 1.0
    assert "modes" not in document


def test_a_set_without_groups_has_none() -> None:
    assert figures(labelled("", ""), {"composed": values(True, True)})["groups"] == {}


def test_a_query_of_several_groups_counts_in_each() -> None:
    queries = (
        LabelledQuery("0", "a.jpg", "", {"t": 1}, aspects=("negation", "addition")),
        LabelledQuery("1", "a.jpg", "", {"t": 1}, aspects=("addition",)),
    )
    groups = figures(LabelledSet("set", "val", queries, "0"), {"composed": values(True, False)})[
        "groups"
    ]
    assert {name: each["recall@1"] for name, each in groups.items()} == {
        "negation": 1.0,
        "addition": 0.5,
    }


def test_ablations_are_given_by_mode_with_the_gain_over_the_best_of_them() -> None:
    scores = {
        "composed": values(True, True),
        "text": values(False, True),
        "sum": values(False, False),
    }
    document = figures(labelled("", ""), scores)
    assert document["modes"]["composed"] == document["metrics"]
    assert document["modes"]["sum"]["recall@50"] == 0.0
    gain = document["composition_gain"]["recall@10"]
    assert gain == {"best": 0.5, "mode": "text", "points": 50.0}


def test_measures_that_look_beyond_a_gallery_are_named() -> None:
    (note,) = depth_notes(MEASURES, 12)
    assert "12 images" in note
    assert "recall@50" in note
    assert "recall@10" not in note
    assert depth_notes([*MEASURES, RecallSubset(60)], 50) == []
