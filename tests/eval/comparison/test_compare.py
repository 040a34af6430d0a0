"""Comparing runs: the statistics against direct counts, the refusals, the words."""

import csv
import io
import json
from collections.abc import Sequence
from itertools import product
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from cir.errors import UsageError
from eval.cli.app import app
from eval.comparison.comparing import compare
from eval.comparison.gate import falls
from eval.comparison.paired import Contender, contender
from eval.runs.ranks import RankTable
from eval.runs.reading import open_run
from eval.runs.writing import RunWriter
from eval.sets.formats.fashioniq import load_fashioniq
from eval.stats import EXACT_UP_TO, bootstrap_intervals, holm, sign_flip_p
from tests.eval.layouts import write_fashioniq
from tests.eval.uploads import document

Ranks = Sequence[int | None]


def column(*values: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array(values, dtype=np.float64)[:, None]


def mcnemar(better: int, worse: int) -> float:
    """Exact two-sided p of the sign test: what flipping equal differences comes to."""
    n = better + worse
    tail: float = sum(comb(n, k) for k in range(min(better, worse) + 1)) / 2**n
    return min(1.0, 2.0 * tail)


def test_few_differences_are_tried_with_every_pattern_of_signs() -> None:
    given = column(0.5, -0.2, 0.0, 0.3, 0.1, -0.4, 0.25)
    sums = [
        sum(s * d for s, d in zip(p, given[:, 0], strict=True)) for p in product((1, -1), repeat=7)
    ]
    expected = np.mean([abs(each) >= abs(given.sum()) - 1e-12 for each in sums])
    assert sign_flip_p(given, seed=0)[0] == pytest.approx(expected)


@pytest.mark.parametrize(("better", "worse"), [(3, 3), (9, 2), (13, 0)])
def test_of_hits_and_misses_the_exact_test_is_the_sign_test(better: int, worse: int) -> None:
    given = column(*[1.0] * better, *[-1.0] * worse, *[0.0] * 40)
    assert sign_flip_p(given, seed=0)[0] == pytest.approx(mcnemar(better, worse))


@pytest.mark.parametrize(("better", "worse"), [(30, 20), (40, 18)])
def test_random_signs_come_near_the_sign_test(better: int, worse: int) -> None:
    assert better + worse > EXACT_UP_TO
    given = column(*[1.0] * better, *[-1.0] * worse, *[0.0] * 100)
    p = sign_flip_p(given, seed=1)[0]
    assert p == pytest.approx(mcnemar(better, worse), abs=0.012)


def test_p_is_1_without_a_difference_and_never_0() -> None:
    both = np.column_stack([np.zeros(200), np.ones(200)])
    assert sign_flip_p(both, seed=0, flips=999).tolist() == [1.0, 1 / 1000]


def test_columns_are_tested_as_if_each_stood_alone() -> None:
    dice = np.random.default_rng(3)
    both = dice.normal(size=(60, 2))
    together = sign_flip_p(both, seed=5)
    apart = [sign_flip_p(both[:, [at]], seed=5)[0] for at in range(2)]
    assert together.tolist() == pytest.approx(apart)


def test_where_nothing_differs_chance_finds_something_as_often_as_it_says() -> None:
    dice = np.random.default_rng(4)
    p = sign_flip_p(dice.normal(size=(40, 400)), seed=0, flips=2000)
    assert 0.02 < (p < 0.05).mean() < 0.09


def test_the_interval_is_that_of_the_means_error() -> None:
    given = np.random.default_rng(0).normal(0.1, 1.0, size=(500, 1))
    low, high = bootstrap_intervals(given, seed=0)[:, 0]
    error = given.std() / np.sqrt(500)
    assert low == pytest.approx(given.mean() - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(given.mean() + 1.96 * error, abs=0.1 * error)


def test_intervals_hold_the_true_mean_as_often_as_they_say() -> None:
    given = np.random.default_rng(6).normal(0.3, 1.0, size=(60, 500))
    low, high = bootstrap_intervals(given, seed=0, resamples=2000)
    assert 0.90 < ((low < 0.3) & (high > 0.3)).mean() < 0.98


def test_the_same_seed_gives_the_same_interval() -> None:
    given = np.random.default_rng(0).normal(size=(50, 1))
    first, again, other = (bootstrap_intervals(given, seed=seed).tolist() for seed in (7, 7, 8))
    assert first == again != other


def test_holm_steps_down() -> None:
    raised = holm(np.array([0.01, 0.04, 0.03, 0.005]))
    assert raised.tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.9, 0.6])).tolist() == [1.0, 1.0]


def put_run(
    folder: Path, ranks: dict[str, Ranks], ids: Sequence[str] | None = None, **changes: Any
) -> Path:
    """A run with these ranks by mode, of queries q0, q1 and so on."""
    folder.mkdir(parents=True)
    count = len(ranks["composed"])
    names = ids or [f"q{number}" for number in range(count)]
    table = RankTable(((),) * count, {mode: tuple(each) for mode, each in ranks.items()})
    document = {
        "set": "dev",
        "encoder": "compact",
        "queries": count,
        "metrics": table.figures()["composed"],
        "modes": table.figures(),
        "set_fingerprint": "one",
        "gallery": {"fingerprint": "images"},
    }
    (folder / "run.json").write_text(json.dumps(document | changes))
    lines = [",".join(["id", "group", *ranks])]
    for row, name in enumerate(names):
        lines.append(",".join([name, "", *(str(each[row] or "") for each in ranks.values())]))
    (folder / "queries.csv").write_text("\n".join(lines) + "\n")
    return folder


def contenders(*folders: Path) -> list[Contender]:
    return [Contender(open_run(folder, folder.parent)) for folder in folders]


WEAK: Ranks = [1] * 20 + [30] * 30 + [None] * 50
STRONG: Ranks = [1] * 20 + [2] * 28 + [30] * 2 + [None] * 48 + [5] * 2


def test_a_clear_difference_is_called_so(tmp_path: Path) -> None:
    weak, strong = (
        put_run(tmp_path / name, {"composed": ranks})
        for name, ranks in (("weak", WEAK), ("strong", STRONG))
    )
    compared = compare(contenders(weak, strong))
    found = compared.differences[0]["recall@10"]
    assert (found.better, found.worse, found.same) == (30, 0, 70)
    assert found.delta == pytest.approx(0.3)
    assert (found.low or 1) < 0.3 < (found.high or 0)
    assert found.p == found.p_holm < 0.001
    assert "strong is ahead of weak in recall@10 by 30.0 points" in compared.words("recall@10")[0]
    assert "unlikely by chance" in compared.words("recall@10")[0]
    assert "same recall@1 on every query" in compared.words("recall@1")[0]


def test_a_comparison_is_taken_away_as_a_table(tmp_path: Path) -> None:
    both = contenders(
        *(put_run(tmp_path / name, {"composed": [rank, 1]}) for name, rank in (("a", 2), ("b", 1)))
    )
    header, line, *_ = compare(both).csv().splitlines()
    assert header == "run,against,measure,delta,low,high,p,p_holm,better,worse,same,group"
    assert line == "b,a,recall@1,0.5,0.0,1.0,1.0,1.0,1,0,1,"


def test_the_groups_are_in_the_table_too(tmp_path: Path) -> None:
    both = []
    for name, rank in (("a", 2), ("b", 1)):
        folder = put_run(tmp_path / name, {"composed": [rank, 1]})
        table = folder / "queries.csv"
        table.write_text(table.read_text().replace("q0,,", "q0,colour,"))
        both.append(folder)
    rows = list(csv.DictReader(io.StringIO(compare(contenders(*both), measure="mrr").csv())))
    groups = {row["group"]: row for row in rows if row["group"]}
    assert list(groups) == ["colour", "(none)"]
    assert (groups["colour"]["measure"], groups["colour"]["delta"]) == ("mrr", "0.5")


def test_what_is_not_known_of_an_imported_run_is_no_difference(tmp_path: Path) -> None:
    own: dict[str, Any] = {
        "settings": {"template": None, "template_text": "{caption}", "depth": 100, "turn": 0},
        "precision": "int8",
        "gallery": {"index_type": "FLAT", "fingerprint": "images"},
    }
    other: dict[str, Any] = {"settings": {"depth": 100}, "gallery": {}, "imported": "found.trec"}
    first = put_run(tmp_path / "own", {"composed": [1, 2]}, **own)
    second = put_run(tmp_path / "theirs", {"composed": [1, 1]}, **other)
    notes = compare(contenders(first, second)).notes
    assert not any("differ also" in note for note in notes)
    (unknown,) = [note for note in notes if note.startswith("Not known of theirs")]
    assert "the template of the instructions" in unknown
    assert "the precision of the encoder" in unknown and "the type of the index" in unknown
    assert "how many images are ranked" not in unknown


def test_a_small_difference_may_be_chance(tmp_path: Path) -> None:
    first = put_run(tmp_path / "first", {"composed": [1, 20, 1, 20, 1, 20]})
    second = put_run(tmp_path / "second", {"composed": [1, 1, 1, 20, 1, 20]})
    compared = compare(contenders(first, second))
    words = compared.words("recall@10")[0]
    assert "This may be chance" in words
    assert "p = 1" in words
    assert any("With 6 queries" in note for note in compared.notes)


def test_with_several_runs_p_is_raised(tmp_path: Path) -> None:
    folders = [
        put_run(tmp_path / name, {"composed": ranks})
        for name, ranks in (("a", WEAK), ("b", STRONG), ("c", WEAK))
    ]
    both = compare(contenders(*folders)).differences[0]["recall@10"]
    assert both.p_holm == pytest.approx(2 * both.p)


def test_the_order_of_the_queries_does_not_matter(tmp_path: Path) -> None:
    straight = put_run(tmp_path / "a", {"composed": [1, None, 3]}, ids=["x", "y", "z"])
    turned = put_run(tmp_path / "b", {"composed": [3, None, 1]}, ids=["z", "y", "x"])
    found = compare(contenders(straight, turned)).differences[0]
    assert all(each.same == 3 for each in found.values())


@pytest.mark.parametrize(
    ("changes", "ids", "words"),
    [
        ({"set_fingerprint": "two"}, None, "did not ask the same labelled set"),
        ({"gallery": {"fingerprint": "others"}}, None, "did not search the same images"),
        ({}, ["q0", "other"], "b lacks 1 (for example 'q1')"),
        ({"judged": False, "metrics": {}}, None, "its targets are not known"),
    ],
)
def test_what_does_not_compare_is_refused(
    tmp_path: Path, changes: dict[str, Any], ids: Sequence[str] | None, words: str
) -> None:
    one = put_run(tmp_path / "a", {"composed": [1, 2]})
    other = put_run(tmp_path / "b", {"composed": [1, 2]}, ids, **changes)
    with pytest.raises(UsageError) as refusal:
        compare(contenders(one, other))
    assert words in str(refusal.value)


def test_a_run_is_not_compared_with_itself_or_with_a_mode_it_lacks(tmp_path: Path) -> None:
    put_run(tmp_path / "a", {"composed": [1, 2], "sum": [2, 2]})
    with pytest.raises(UsageError, match="named twice"):
        compare([contender(text, tmp_path) for text in ("a", "a")])
    with pytest.raises(UsageError, match=r"not asked by image alone\. Run the set with ablations"):
        compare([contender(text, tmp_path) for text in ("a", "a:image")])
    with pytest.raises(UsageError, match="two runs at least"):
        compare([contender("a", tmp_path)])


def test_conclusions_are_drawn_about_any_measure_that_the_ranks_give(tmp_path: Path) -> None:
    both = contenders(
        put_run(tmp_path / "weak", {"composed": WEAK}),
        put_run(tmp_path / "strong", {"composed": STRONG}),
    )
    assert compare(both).measure == "recall@10"
    usual = compare(both).measures
    compared = compare(both, measure="recall@3")
    assert (compared.measure, compared.measures) == ("recall@3", (*usual, "recall@3"))
    assert compared.figures[1]["recall@3"] == 0.48
    assert "strong is ahead of weak in recall@3 by 28.0 points" in compared.words()[0]
    # What else is compared does not change with it.
    assert compared.differences[0]["mrr"] == compare(both).differences[0]["mrr"]
    assert compare(both, measures=["mrr"], measure="recall@1").measures == ("mrr", "recall@1")


def test_a_measure_that_the_runs_do_not_tell_of_is_refused(tmp_path: Path) -> None:
    both = contenders(
        *(put_run(tmp_path / name, {"composed": [1, 2]}) for name in ("a", "b")),
    )
    with pytest.raises(UsageError, match=r"a: map@7 was not measured\. Run the set again with"):
        compare(both, measure="map@7")
    with pytest.raises(
        UsageError, match="a: The rankings hold 100 images a query, recall@101 looks"
    ):
        compare(both, measure="recall@101")
    with pytest.raises(UsageError, match="no measure 'recal@3'"):
        compare(both, measure="recal@3")


def test_runs_of_another_depth_are_compared_as_deep_as_both_go(tmp_path: Path) -> None:
    deep = {"depth": 300}
    both = contenders(
        put_run(tmp_path / "a", {"composed": [1, 250]}, settings=deep),
        put_run(tmp_path / "b", {"composed": [1, None]}),
    )
    assert any("how many images are ranked" in note for note in compare(both).notes)
    with pytest.raises(UsageError, match="b: The rankings hold 100 images"):
        compare(both, measure="recall@200")
    again = contenders(
        tmp_path / "a", put_run(tmp_path / "c", {"composed": [260, 1]}, settings=deep)
    )
    assert [each["recall@255"] for each in compare(again, measure="recall@255").figures] == [1, 0.5]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"precision": "int8"}, "the precision of the encoder"),
        ({"query_fingerprint": "2"}, "the adapter's content"),
        ({"settings": {"depth": 50}}, "how many images are ranked"),
        ({"settings": {"template": "bge-vl"}}, "the template of the instructions"),
        ({"settings": {"adapter": "mine"}}, "the adapter"),
        ({"settings": {"rerank": "cross"}}, "the second stage"),
        ({"settings": {"both_orders": True}}, "whether to average both orders of the two captions"),
        (
            {"gallery": {"fingerprint": "images", "index_type": "HNSW"}},
            "the type of the index",
        ),
    ],
)
def test_each_difference_of_conditions_is_named(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    usual: dict[str, Any] = {
        "precision": "float32",
        "settings": {"depth": 100},
        "gallery": {"fingerprint": "images", "index_type": "FLAT"},
    }
    settings = usual["settings"] | changes.get("settings", {})
    first = put_run(tmp_path / "a", {"composed": [1, 2]}, **usual)
    other = put_run(
        tmp_path / "b", {"composed": [1, 2]}, **usual | changes | {"settings": settings}
    )
    assert f"The runs differ also in: {words}." in compare(contenders(first, other)).notes
    same = put_run(tmp_path / "c", {"composed": [1, 2]}, **usual)
    assert "differ also" not in str(compare(contenders(first, same)).notes)


def test_one_order_of_captions_is_compared_with_both(tmp_path: Path) -> None:
    root = write_fashioniq(tmp_path)
    one, both = (
        load_fashioniq(root, "dress", both_orders=both).fingerprint for both in (False, True)
    )
    runs = (
        put_run(tmp_path / name, {"composed": [1, 2]}, set_fingerprint=each)
        for name, each in (("one", one), ("both", both))
    )
    assert compare(contenders(*runs)).queries == 2


def test_the_command_compares_a_run_with_its_sum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIR_DATA_DIR", str(tmp_path))
    put_run(tmp_path / "runs" / "a", {"composed": STRONG, "sum": WEAK})
    result = CliRunner().invoke(app, ["compare", "a:sum", "a", "--json", "--seed", "3"])
    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert [each["mode"] for each in document["runs"]] == ["sum", "composed"]
    assert document["comparisons"][0]["metrics"]["recall@10"]["better"] == 30
    assert document["seed"] == 3
    shown = CliRunner().invoke(app, ["compare", "a:sum", "a"])
    assert "unlikely by chance" in shown.stdout
    assert "30/0/70" in shown.stdout


def test_the_command_compares_in_any_measure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIR_DATA_DIR", str(tmp_path))
    for name, ranks in (("a", WEAK), ("b", STRONG)):
        put_run(tmp_path / "runs" / name, {"composed": ranks})
    document = json.loads(
        CliRunner().invoke(app, ["compare", "a", "b", "--measure", "recall@3", "--json"]).stdout
    )
    assert document["measure"] == "recall@3"
    assert "in recall@3 by 28.0 points" in document["comparisons"][0]["words"]
    missing = CliRunner().invoke(app, ["compare", "a", "b", "--measure", "ndcg@3"])
    assert missing.exit_code == 2
    assert "a: ndcg@3 was not measured. Run the set again with --measure" in missing.stderr


def test_the_command_refuses_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIR_DATA_DIR", str(tmp_path))
    put_run(tmp_path / "runs" / "a", {"composed": [1, 2]})
    result = CliRunner().invoke(app, ["compare", "a", "b", "--json"])
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"].startswith("There is no run 'b'")


def test_fewer_hard_negatives_are_better(tmp_path: Path) -> None:
    def put(name: str, value: float) -> Path:
        folder = tmp_path / name
        with RunWriter(folder, ["composed"]) as writer:
            for number in range(12):
                writer.add_query(f"q{number}", ["g"])
                writer.add_ranking(f"q{number}", "composed", [], 1)
            writer.add_values("composed", {"negatives@10": [value] * 12})
            writer.finish(json.loads(document(queries=12)))
        return folder

    compared = compare(contenders(put("first", 0.3), put("other", 0.1)), measure="negatives@10")
    (it,) = [each["negatives@10"] for each in compared.differences]
    assert it.delta == pytest.approx(-0.2) and (it.better, it.worse) == (12, 0)
    assert "other is ahead of first in negatives@10 by 20.0 points" in compared.words()[0]
    assert "ahead of first in g (-20.0)" in compared.words()[0] + " ".join(compared.group_words())
    assert falls(compared) == []
    turned = compare(contenders(tmp_path / "other", tmp_path / "first"), measure="negatives@10")
    assert (
        "first is worse than other in negatives@10: 0.3000 after 0.1000, 20.0 points more"
        in (falls(turned)[0])
    )
