"""A set with further wordings of its instructions, and what a run tells of them."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

import eval as bench
from cir.settings import Settings, load_settings
from eval.cli.app import app
from eval.model_card.rewording import WORDINGS
from eval.sets.formats.native import read_records
from tests.eval.command_line import QRELS, QUERIES, WriteSet, document_of


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(data_dir=str(tmp_path_factory.mktemp("data")))


@pytest.fixture(autouse=True)
def own_data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIR_DATA_DIR", str(tmp_path / "data"))


def reword(folder: Path, out: Path, *more: str) -> dict[str, int]:
    asked = ["reword", "--set", str(folder), "--out", str(out), *more, "--json"]
    added: dict[str, int] = document_of(CliRunner().invoke(app, asked))["added"]
    return added


def test_wordings_stand_beside_the_queries_with_their_judgements(
    write_set: WriteSet, tmp_path: Path
) -> None:
    queries = [{**QUERIES[0], "index": "shop"}, *QUERIES[1:]]
    folder = write_set(queries, [*QRELS, ("q1", "green.png", 0)])
    # No word of these instructions has a synonym, and "in red" is too short for a typo.
    assert reword(folder, tmp_path / "new") == {
        "typo": 2, "polite": 3, "capitals": 3, "synonyms": 0
    }  # fmt: skip
    found = bench.load_set(tmp_path / "new")
    assert [query.id for query in found.queries][:5] == [
        "q1", "q1-typo", "q1-polite", "q1-capitals", "q2"
    ]  # fmt: skip
    first, typo, polite, capitals, *_ = found.queries
    assert (first.wording_of, typo.wording_of, first.instruction) == ("", "q1", "in blue")
    assert typo.instruction != "in blue" and capitals.instruction == "IN BLUE"
    assert polite.instruction == "Hello, in blue, please. Thank you!"
    for query in (first, typo, polite, capitals):
        assert (query.targets, query.negatives) == ({"blue.png": 1}, ("green.png",))
        assert (query.reference, query.group) == ("red.png", "colour")
    assert read_records(tmp_path / "new")[1]["index"] == "shop"
    assert found.wordings() == {"q1": [0, 1, 2, 3], "q2": [4, 5, 6, 7], "q3": [8, 9, 10]}
    # The same typos again; a set that has wordings already gets none of these.
    reword(folder, tmp_path / "again")
    again = bench.load_set(tmp_path / "again").queries
    assert [each.instruction for each in again] == [each.instruction for each in found.queries]
    assert set(reword(tmp_path / "new", tmp_path / "third", "--kind", "typo").values()) == {0}


def test_what_cannot_be_reworded(write_set: WriteSet, tmp_path: Path) -> None:
    folder = write_set(QUERIES, QRELS)
    asked = ["reword", "--set", str(folder), "--out", str(tmp_path / "new")]
    refused = CliRunner().invoke(app, [*asked, "--kind", "french"])
    assert refused.exit_code == 2 and f"name some of {', '.join(WORDINGS)}" in refused.stderr
    (tmp_path / "new").mkdir()
    refused = CliRunner().invoke(app, asked)
    assert refused.exit_code == 2 and "is there already. Name another folder" in refused.stderr
    assert [path.name for path in tmp_path.glob(".partial-*")] == []


def test_a_run_tells_mean_worst_and_spread(
    settings: Settings, write_set: WriteSet, gallery: Path, tmp_path: Path
) -> None:
    queries = [
        *QUERIES,
        {**QUERIES[0], "_id": "q1b", "text": "in green", "wording_of": "q1"},  # a bad wording
        {**QUERIES[0], "_id": "q1c", "text": "blue, please", "wording_of": "q1"},
    ]
    judged = [*QRELS, ("q1b", "blue.png", 1), ("q1c", "blue.png", 1)]
    folder = write_set(queries, judged)
    run = bench.run(folder, gallery=gallery, out=tmp_path / "run", settings=settings)
    told = run.part("wordings")
    assert (told["queries"], told["wordings"]) == (1, 3)
    ranks = run.table.set_index("id")["composed"]
    values = [float(ranks[each] == 1) for each in ("q1", "q1b", "q1c")]
    assert told["metrics"]["recall@1"] == pytest.approx(
        {"mean": sum(values) / 3, "worst": min(values), "spread": max(values) - min(values)}
    )
    assert 0 < told["metrics"]["mrr"]["spread"] < 1
    bench.write_report(run, tmp_path / "report.html", settings=settings)
    assert "Wordings: 1 queries are asked in 3 wordings" in (tmp_path / "report.html").read_text()
