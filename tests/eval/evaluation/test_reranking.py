"""A run with a second stage: figures with and without it, its cost, and a repetition."""

import json
from pathlib import Path

import pytest

import cir
import eval as bench
from cir.errors import RerankError, UsageError
from cir.rerank.fusing import Outcome
from cir.search import SearchOptions
from cir.settings import load_settings
from eval.evaluation.reranking import Reranking
from tests.eval.command_line import Evaluate, document_of


@pytest.fixture
def named(own_gallery: Path) -> Path:
    """The drawn gallery with a title for each picture."""
    paths = sorted(each.relative_to(own_gallery) for each in own_gallery.rglob("*.png"))
    lines = [f"{path},a {path.stem} one" for path in paths]
    (own_gallery / "metadata.csv").write_text("\n".join(["file,title", *lines]) + "\n")
    return own_gallery


def test_a_run_tells_figures_with_and_without(
    evaluate: Evaluate, labelled: Path, named: Path
) -> None:
    asked = ("--set", labelled, "--gallery", named, "--ablations", "--json")
    plain = document_of(evaluate(*asked))
    assert "rerank" not in plain
    run = document_of(evaluate(*asked, "--rerank", "words", "--rerank-columns", "title"))
    told = run["rerank"]
    assert told["without"] == plain["metrics"]
    assert (told["name"], told["columns"], told["weight"], told["depth"]) == (
        "words",
        "title",
        0.2,
        50,
    )
    assert (told["rankings"], told["failed"], told["failure"]) == (9, 0, None)  # but the images
    assert told["seconds_per_query"] > 0 and told["tokens_per_query"] == 0
    assert run["modes"]["image"] == plain["modes"]["image"]
    assert any(note.startswith("Second stage words: recall@") for note in run["notes"])
    kept = json.loads((Path(run["run"]) / "run.json").read_text())
    assert kept["rerank"] == told
    assert kept["settings"]["rerank"] == "words"
    before, after = (bench.open_run(each["run"]) for each in (plain, run))
    compared = bench.compare([before, after], measure="recall@10")
    assert any("the second stage" in note for note in compared.notes)
    assert bench.repeat(after)["same"]


def test_no_weight_gives_the_same_run(evaluate: Evaluate, labelled: Path, named: Path) -> None:
    asked = ("--set", labelled, "--gallery", named, "--json")
    plain, run = (
        document_of(evaluate(*asked, *more))
        for more in ((), ("--rerank", "words", "--rerank-weight", "0"))
    )
    files = [(Path(each["run"]) / "composed.trec").read_bytes() for each in (plain, run)]
    assert files[0] == files[1]
    assert run["metrics"] == plain["metrics"] == run["rerank"]["without"]


def test_what_cannot_be_is_an_error_before_anything(
    evaluate: Evaluate, labelled: Path, named: Path, tmp_path: Path
) -> None:
    asked = ("--set", labelled, "--gallery", named, "--out", tmp_path / "run")
    assert "no second stage 'wrods'" in evaluate(*asked, "--rerank", "wrods").output
    columns = ("--rerank", "words", "--rerank-columns", "colour")
    assert 'no column "colour"' in evaluate(*asked, *columns).output
    assert not (tmp_path / "run").exists()


def test_a_second_stage_that_goes_on_failing_ends_the_run() -> None:
    reranking = Reranking(SearchOptions(rerank="words"), load_settings())
    failed = Outcome("words", failure="Nobody answers.")
    for outcome in (failed, failed, Outcome("words", 3), failed, failed):
        reranking.take(outcome)
    assert reranking.document({})["failed"] == 4
    with pytest.raises(RerankError, match=r"3 queries in a row: Nobody answers\."):
        reranking.take(failed)


def test_a_repetition_takes_no_folder_from_a_run(
    evaluate: Evaluate, labelled: Path, named: Path, tmp_path: Path
) -> None:
    run = Path(document_of(evaluate("--set", labelled, "--gallery", named, "--json"))["run"])
    kept = json.loads((run / "run.json").read_text())
    kept["settings"]["rerank"] = f"flag:{tmp_path}"
    (run / "run.json").write_text(json.dumps(kept))
    with pytest.raises(UsageError, match="not taken from a run"):
        bench.repeat(run)


def test_the_library_warns_where_it_fails(named: Path, tmp_path: Path) -> None:
    store = cir.Store(data_dir=tmp_path / "data")
    (named / "metadata.csv").write_text("file,title,note\nred.png,red,\nx.png,,y\n")
    index = store.index("named", named)
    with pytest.warns(UserWarning, match="without the second stage: None of the first"):
        hits = index.search(text="in blue", rerank="words", rerank_columns="note")
    assert hits == index.search(text="in blue")
    store.close()
