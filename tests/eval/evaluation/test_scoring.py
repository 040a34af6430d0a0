"""`python -m eval score`: run files and submission files that other systems wrote."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytrec_eval
from typer.testing import CliRunner, Result

from cir.errors import UsageError
from eval.cli.app import app
from eval.evaluation.scoring import measures_of, score_file, score_rankings
from eval.measures import parse_measure
from eval.runs.rankings import read_rankings, read_trec
from eval.runs.writing import trec_lines
from eval.sets.formats.circo import load_circo
from eval.sets.formats.cirr import load_cirr
from eval.sets.formats.fashioniq import load_fashioniq
from eval.sets.formats.native import load_native
from tests.eval.layouts import (
    CIRR_IMAGES,
    DRESSES,
    write_circo,
    write_cirr,
    write_fashioniq,
    write_json,
)
from tests.places import REPOSITORY

SHARED = Path(os.environ.get("CIR_SHARED_DATA") or REPOSITORY.parent / "shared") / "benchmarks"
OFFICIAL = {
    "map@5": 0.004861,
    "map@10": 0.005178,
    "map@25": 0.005400,
    "map@50": 0.006020,
    "recall@5": 0.009091,
    "recall@10": 0.009091,
    "recall@25": 0.013636,
    "recall@50": 0.036364,
}
"""What CIRCO's own script gives for its example submission, as it rounds."""

WriteSet = Callable[..., Path]
Score = Callable[..., Result]


@pytest.fixture
def score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Score:
    """A function that runs `python -m eval score` with these arguments, in this process."""
    monkeypatch.setenv("CIR_DATA_DIR", str(tmp_path / "data"))
    return lambda *arguments: CliRunner().invoke(app, ["score", *map(str, arguments)])


def document_of(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def write_run(path: Path, rankings: dict[str, list[str]]) -> Path:
    """A TREC run file."""
    lines = [
        f"{query} Q0 {image} {rank} {-rank} other"
        for query, images in rankings.items()
        for rank, image in enumerate(images, 1)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def average_precision(ranked: list[int], targets: list[int], k: int) -> float:
    """By the paper's formula, term by term."""
    found = [image in targets for image in ranked[:k]]
    terms = [sum(found[: rank + 1]) / (rank + 1) for rank in range(len(found)) if found[rank]]
    return sum(terms) / min(len(targets), k)


@pytest.mark.skipif(
    not (SHARED / "circo").is_dir(),
    reason=f"no annotation files in {SHARED}; CIR_SHARED_DATA names the folder of benchmarks/",
)
def test_circo_gives_the_official_figures(score: Score) -> None:
    root = SHARED / "circo"
    run = root / "submission_val.json"
    document = document_of(score("--set", "circo", "--root", root, "--run", run, "--json"))
    assert list(document) == ["set", "queries", "metrics", "groups"]
    assert (document["set"], document["queries"]) == ("circo", 220)
    rounded = {name: round(value, 6) for name, value in document["metrics"].items()}
    assert rounded == OFFICIAL
    ranked = json.loads(run.read_text())
    records = json.loads((root / "val.json").read_text())
    for k in (5, 10, 25, 50):
        precisions = [average_precision(ranked[str(r["id"])], r["gt_img_ids"], k) for r in records]
        hits = [r["target_img_id"] in ranked[str(r["id"])][:k] for r in records]
        figures = document["metrics"]
        assert figures[f"map@{k}"] == pytest.approx(sum(precisions) / 220, abs=1e-9)
        assert figures[f"recall@{k}"] == pytest.approx(sum(hits) / 220, abs=1e-9)
    negations = [r for r in records if "negation" in r["semantic_aspects"]]
    precisions = [average_precision(ranked[str(r["id"])], r["gt_img_ids"], 10) for r in negations]
    group = document["groups"]["negation"]
    assert group["queries"] == len(negations) == 21
    assert group["map@10"] == pytest.approx(sum(precisions) / 21, abs=1e-9)


def test_circo_by_hand(tmp_path: Path, score: Score) -> None:
    root = write_circo(tmp_path)
    run = tmp_path / "submission.json"
    write_json(run, {"0": [13, 10, 12], "1": [99]})
    document = document_of(score("--set", "circo", "--root", root, "--run", run, "--json"))
    # The first query's targets stand at ranks 1 and 3; recall asks for 12 alone.
    assert document["metrics"]["map@5"] == pytest.approx((1 + 2 / 3) / 2 / 2)
    assert document["metrics"]["recall@5"] == 0.5
    assert document["groups"]["addition"]["queries"] == 2


def test_images_may_be_named_by_their_files(tmp_path: Path) -> None:
    labelled = load_circo(write_circo(tmp_path))
    run = write_run(tmp_path / "run", {"0": ["unlabeled2017/000000000012.jpg", "13"]})
    read = read_rankings(run, labelled, allow_missing=True)
    assert read.by_query == {"0": ["12", "13"]}


def test_cirr_takes_both_submission_files(tmp_path: Path, score: Score) -> None:
    root = write_cirr(tmp_path)
    main, subset = tmp_path / "recall.json", tmp_path / "subset.json"
    head = {"version": "rc2", "metric": "recall"}
    # The reference of 100 stands first, which the protocol takes out.
    ranked = [CIRR_IMAGES[0], CIRR_IMAGES[2], CIRR_IMAGES[7]]
    write_json(main, {**head, "100": ranked, "101": CIRR_IMAGES[6:8]})
    write_json(
        subset,
        {
            **head,
            "metric": "recall_subset",
            "100": [CIRR_IMAGES[1], CIRR_IMAGES[2], CIRR_IMAGES[3]],
            "101": [CIRR_IMAGES[5], CIRR_IMAGES[4], CIRR_IMAGES[6]],
        },
    )
    arguments = ("--set", "cirr", "--root", root, "--json", "--run")
    result = score(*arguments, main)
    figures = document_of(result)["metrics"]
    assert (figures["recall@1"], figures["recall@5"]) == (0.5, 0.5)
    assert "recall_subset@1" not in figures
    assert "--subset-run" in result.stderr
    kept = document_of(score(*arguments, main, "--keep-reference"))["metrics"]
    assert (kept["recall@1"], kept["recall@5"]) == (0.0, 0.5)
    alone = document_of(score(*arguments, subset))["metrics"]
    assert alone == {"recall_subset@1": 0.5, "recall_subset@2": 1.0, "recall_subset@3": 1.0}
    both = document_of(score(*arguments, main, "--subset-run", subset))["metrics"]
    headline = {"recall@5+recall_subset@1": (0.5 + 0.5) / 2}
    assert both == figures | alone | headline


@pytest.mark.parametrize(
    ("file", "images", "words"),
    [
        ("run", [2, 7, 99], "line 3: the query '100' ranks the image 'dev-99-0-img0', which is"),
        ("run", [2, 3], "ranks nothing but the candidates"),
        ("subset", [2, 7], "line 2: the query '100' ranks the image 'dev-7-0-img0', which is not"),
    ],
)
def test_images_that_were_not_searched_are_no_ranking(
    tmp_path: Path, score: Score, file: str, images: list[int], words: str
) -> None:
    ranked = {"run": [2, 7], "subset": [2, 3]}
    for name, numbers in (ranked | {file: images}).items():
        first = [f"dev-{number}-0-img0" for number in numbers]
        write_run(tmp_path / name, {"100": first, "101": [CIRR_IMAGES[5]]})
    runs = ("--run", tmp_path / "run", "--subset-run", tmp_path / "subset")
    result = score("--set", "cirr", "--root", write_cirr(tmp_path), *runs)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr


def test_queries_that_are_not_ranked_count_0_where_that_is_allowed(
    tmp_path: Path, score: Score
) -> None:
    arguments = ("--set", "circo", "--root", write_circo(tmp_path), "--json", "--run")
    some = score(*arguments, write_run(tmp_path / "run", {"0": ["12"]}), "--allow-missing")
    assert document_of(some)["metrics"]["recall@5"] == 0.5
    assert "ranks nothing for 1 of 2 queries" in some.stderr


def test_cirr_reads_the_subset_from_a_run_that_ranks_it_all(tmp_path: Path) -> None:
    labelled = load_cirr(write_cirr(tmp_path))
    # 7 and 8 are no candidates of 100; without them and the reference the target is second.
    ranked = [CIRR_IMAGES[n] for n in (7, 0, 3, 8, 2, 1, 4, 5)]
    scored = score_file(labelled, write_run(tmp_path / "run", {"100": ranked}), allow_missing=True)
    figures = scored.document["metrics"]
    assert (figures["recall_subset@1"], figures["recall_subset@2"]) == (0.0, 0.5)
    assert figures["recall@5"] == 0.5
    assert any("'101'" in note for note in scored.notes)


def test_fashioniq_takes_run_files_and_the_challenge_s_own(tmp_path: Path) -> None:
    labelled = load_fashioniq(write_fashioniq(tmp_path), "dress")
    by_name = write_run(
        tmp_path / "names", {"dress-0": ["B000", "B002"], "dress-1": ["B005"], "dress-2": ["B004"]}
    )
    by_number = write_run(
        tmp_path / "numbers", {"0": ["B000.jpg", "B002.jpg"], "1": ["B005.jpg"], "2": ["B004.jpg"]}
    )
    challenge = tmp_path / "dress.predict.json"
    write_json(
        challenge,
        [
            {"candidate": "B000", "ranking": ["B000", "B002"]},
            {"candidate": "B003", "ranking": DRESSES[5:]},
            {"candidate": "B000", "ranking": ["B004"]},
        ],
    )
    figures = [score_file(labelled, run).document for run in (by_name, by_number, challenge)]
    # The reference stays: the target of the first is second.
    assert figures[0]["metrics"]["recall@1"] == pytest.approx(1 / 3)
    assert figures[0]["metrics"]["recall@10"] == pytest.approx(2 / 3)
    assert figures[0] == figures[1] == figures[2]
    removed = score_file(labelled, by_name, keep_reference=False).document["metrics"]
    assert removed["recall@1"] == pytest.approx(2 / 3)


def test_a_native_set_with_grades(write_set: WriteSet, tmp_path: Path, score: Score) -> None:
    root = write_set(
        [{"_id": "q 1", "image": "a b.jpg", "text": "in red", "group": "colour"}],
        [("q 1", "c.jpg", 2), ("q 1", "d.jpg", 1)],
    )
    ranked = [(image, -float(rank)) for rank, image in enumerate(["a b.jpg", "d.jpg", "c.jpg"])]
    run = tmp_path / "run"
    run.write_text("".join(trec_lines("q 1", ranked, tag="t")), encoding="utf-8")
    document = document_of(score("--set", "native", "--root", root, "--run", run, "--json"))
    figures = document["metrics"]
    assert document["set"] == "native"
    assert (figures["recall@1"], figures["recall_fraction@5"], figures["map@5"]) == (1.0, 1.0, 1.0)
    assert 0 < figures["ndcg@5"] < 1
    assert document["groups"]["colour"]["mrr"] == 1.0
    same = document_of(score("--set", root, "--run", run, "--json"))
    assert same["metrics"] == figures
    assert "recall_fraction@5" in score("--set", root, "--run", run).stdout


def test_ids_of_other_tools_are_taken_as_they_stand(
    write_set: WriteSet, tmp_path: Path, score: Score
) -> None:
    root = write_set(
        [{"_id": "q%201", "image": "a.jpg", "text": "in red"}], [("q%201", "a%20b.jpg", 1)]
    )
    ranked = {"q%201": ["a%20b.jpg"]}
    arguments = ("--set", root, "--json", "--run")
    theirs = document_of(score(*arguments, write_run(tmp_path / "theirs", ranked)))
    (tmp_path / "ours").write_text("".join(trec_lines("q%201", [("a%20b.jpg", 0.5)], tag="t")))
    ours = document_of(score(*arguments, tmp_path / "ours"))
    assert theirs["metrics"]["recall@1"] == ours["metrics"]["recall@1"] == 1.0


def test_runs_without_the_mark_are_read_as_they_were_written(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    written = write_run(tmp_path / "composed.trec", {"q%201": ["a%20b.jpg"]})
    assert read_trec(written) == {"q 1": ["a b.jpg"]}


def test_a_byte_order_mark_is_no_part_of_an_id(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("q Q0 a 1 0.5 t\n", encoding="utf-8-sig")
    assert read_trec(tmp_path / "run") == {"q": ["a"]}


def test_ties_are_broken_as_trec_eval_does(tmp_path: Path) -> None:
    labelled = load_circo(write_circo(tmp_path))
    (tmp_path / "run").write_text("0 Q0 12 1 0.5 t\n0 Q0 13 2 0.5 t\n0 Q0 9 3 0.7 t\n")
    read = read_rankings(tmp_path / "run", labelled, allow_missing=True)
    assert read.by_query["0"] == ["9", "13", "12"]


def test_images_are_ordered_as_trec_eval_does(tmp_path: Path) -> None:
    # Each score is there twice: a tie.
    scores = {f"i{number}": number * 17 % 20 / 7 - 1 for number in range(40)}
    (tmp_path / "run").write_text("\n".join(f"q Q0 {i} 0 {s!r} t" for i, s in scores.items()))
    (ranked,) = read_trec(tmp_path / "run").values()
    for target in scores:
        evaluator = pytrec_eval.RelevanceEvaluator({"q": {target: 1}}, {"recip_rank"})
        theirs = evaluator.evaluate({"q": scores})["q"]["recip_rank"]
        assert theirs == pytest.approx(1 / (ranked.index(target) + 1))


def test_scores_are_compared_in_double_precision(tmp_path: Path) -> None:
    (tmp_path / "run").write_text(f"q Q0 a 1 {0.5 + 1e-13!r} t\nq Q0 b 2 0.5 t\n")
    assert read_trec(tmp_path / "run") == {"q": ["a", "b"]}


def test_ranks_that_contradict_the_scores_are_told_of(tmp_path: Path, score: Score) -> None:
    arguments = ("--set", "circo", "--root", write_circo(tmp_path), "--json", "--run")
    lines = ["0 Q0 12 1 0.4 t", "0 Q0 13 2 0.5 t", "1 Q0 14 1 0.5 t", "1 Q0 15 2 0.4 t"]
    (tmp_path / "run").write_text("\n".join(lines))
    told = score(*arguments, tmp_path / "run")
    assert "the ranks of 1 queries, the first of them '0', are not the order" in told.stderr
    (tmp_path / "run").write_text("\n".join(line.replace("12 1", "12 3") for line in lines))
    assert score(*arguments, tmp_path / "run").stderr == ""


def test_a_missed_minimum_is_an_exit_code(tmp_path: Path, score: Score) -> None:
    run = write_run(tmp_path / "run", {"0": ["12"], "1": ["99"]})
    arguments = ("--set", "circo", "--root", write_circo(tmp_path), "--run", run)
    assert score(*arguments, "--min", "recall@5=0.5").exit_code == 0
    missed = score(*arguments, "--min", "map@10=0.9", "--json")
    assert (missed.exit_code, json.loads(missed.stdout)["set"]) == (3, "circo")
    assert "map@10 is" in missed.stderr
    beyond = score(*arguments, "--min", "mrr=0.1", "--json")
    assert (beyond.exit_code, json.loads(beyond.stdout)["metrics"]["mrr"]) == (0, 0.5)
    assert score(*arguments, "--min", "mmr=0.1").exit_code == 2
    assert score(*arguments, "--min", "recall_subset@1=0.1").exit_code == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "holds no ranking"),
        ("0 Q0 12 1 0.5 t\n0 Q0 13 2\n", "line 2: 4 fields"),
        ("0 Q0 12 1 high t\n", "line 1: the score 'high'"),
        ("0 Q0 12 1 nan t\n", "line 1: the score 'nan'"),
        ("0 Q0 12 1 0.5 t\n0 Q0 13 2 -inf t\n", "line 2: the score '-inf' is not a finite number"),
        ("0 Q0 12 1 1e999 t\n", "line 1: the score '1e999'"),
        ("0 Q0 12 1 1_0 t\n", "line 1: the score '1_0'"),
        ("0 Q0 12 1 0.5 t\n7 Q0 12 1 0.5 t\n", "no query '7' in circo"),
        (
            "0 Q0 12 1 0.5 t\n0 Q0 12.jpg 2 0.4 t\n",
            "line 2: the query '0' ranks the image '12' twice",
        ),
        ("0 Q0 a.jpg 1 0.5 t\n1 Q0 b.jpg 1 0.5 t\n", "for example 'a.jpg', is a reference or a"),
        ("0 Q0 12 1 0.5 t\n", "1 of the 2 queries of circo have no ranking, the first of them '1'"),
        ('{"0": [12, 12]}', "names an image twice, '12'"),
        ('{"0": [12], "0": [13]}', "'0' stands in one object twice"),
        ('{"0": 12}', "the query '0' has no list"),
        ('{"0": [1.5]}', "not the id of an image"),
        ('{"0":\n [12,, 13]}', "line 2: not JSON"),
        ("{}", "holds no ranking"),
        ("[]", "a list of 0 rankings"),
    ],
)
def test_a_bad_run_is_one_sentence(tmp_path: Path, score: Score, content: str, words: str) -> None:
    (tmp_path / "run").write_text(content)
    result = score("--set", "circo", "--root", write_circo(tmp_path), "--run", tmp_path / "run")
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_what_is_not_there_is_said(tmp_path: Path, score: Score, write_set: WriteSet) -> None:
    circo = ("--set", "circo", "--root", write_circo(tmp_path))
    assert "cannot be read" in score(*circo, "--run", tmp_path / "nowhere").stderr
    assert "with --root" in score("--set", "circo", "--run", "x").stderr
    assert "write one of" in score("--set", "coco", "--root", tmp_path, "--run", "x").stderr
    write_circo(tmp_path, [{"id": 0, "reference_img_id": 1, "relative_caption": "x"}], "test")
    run = write_run(tmp_path / "run", {"0": ["12"]})
    assert "names no targets" in score(*circo, "--run", run, "--split", "test").stderr


def test_a_fashioniq_challenge_file_in_another_order_is_refused(tmp_path: Path) -> None:
    labelled = load_fashioniq(write_fashioniq(tmp_path), "dress")
    write_json(tmp_path / "x.json", [{"candidate": "B003", "ranking": ["B001"]}] * 3)
    with pytest.raises(UsageError, match="record 1: 'candidate' is 'B003'"):
        read_rankings(tmp_path / "x.json", labelled)


def test_of_images_judged_0_there_are_measures_of_their_own(write_set: WriteSet) -> None:
    queries = [{"_id": "q", "image": "r.jpg", "text": "t"}]
    plain = load_native(write_set(queries, [("q", "t.jpg", 1)], name="plain"))
    assert not {"negatives@10", "judged@10"} & set(map(str, measures_of(plain)))
    with pytest.raises(UsageError, match="score 0 in qrels"):
        measures_of(plain, [parse_measure("negatives@5")])
    labelled = load_native(write_set(queries, [("q", "t.jpg", 1), ("q", "n.jpg", 0)]))
    assert labelled.queries[0].negatives == ("n.jpg",)
    found = score_rankings(labelled, {"q": ["r.jpg", "n.jpg", "t.jpg", "x.jpg"]})
    assert (found.metrics["negatives@10"], found.metrics["judged@10"]) == (0.1, 0.2)
    assert found.metrics["mrr"] == 0.5


def test_a_query_of_one_s_own_may_find_nothing(write_set: WriteSet, tmp_path: Path) -> None:
    labelled = load_native(
        write_set([{"_id": "q", "image": "r.jpg", "text": "t"}], [("q", "t.jpg", 1)])
    )
    file = write_run(tmp_path / "run", {"q": ["elsewhere.png"]})
    assert score_file(labelled, file).document["metrics"]["recall@10"] == 0.0
