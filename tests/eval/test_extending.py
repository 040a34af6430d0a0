"""A measure is one class, a format one module: what else there is finds them by their names."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import eval.sets.formats as package
from cir.errors import UsageError
from cir.settings import load_settings
from eval.cli.app import app
from eval.cli.sets import with_format_options
from eval.evaluation.running import Request, run
from eval.measures import FAMILIES, AtCutoff, Relevance, Values, parse_measure
from eval.runs.queries import asked_queries
from eval.runs.ranks import RankTable
from eval.runs.reading import open_run, rank_table
from eval.sets.catalogue import Place, load_place, load_set
from tests.eval.command_line import Evaluate, document_of, rankings


@pytest.fixture
def precision() -> Iterator[None]:
    """A measure that the bench does not have: `precision@k`."""

    class Precision(AtCutoff):
        family = "precision"
        help = "the share of targets among the first k images"

        def __call__(self, relevance: Relevance) -> Values:
            hits: Values = (relevance.grades[:, : self.k] > 0).sum(axis=1) / self.k
            return hits

    yield
    del FAMILIES[Precision.family]


def precision_at(k: int, folder: str, mode: str, targets: Mapping[str, Sequence[str]]) -> float:
    """The mean of a run, from its rankings on disk."""
    ranked = rankings(folder, mode)
    hits = [len(set(ranked[query][:k]) & set(found)) / k for query, found in targets.items()]
    return sum(hits) / len(hits)


@pytest.mark.usefixtures("precision")
def test_a_new_measure_is_run_scored_compared_and_demanded(
    evaluate: Evaluate, labelled: Path, gallery: Path
) -> None:
    targets = {
        "q1": ["blue.png"],
        "q2": ["striped ones/green.png"],
        "q3": ["striped ones/red.png"],
    }
    asked = ("--set", labelled, "--gallery", gallery, "--json")
    document = document_of(evaluate(*asked, "--ablations", "--measure", "precision@4"))
    expected = {mode: precision_at(4, document["run"], mode, targets) for mode in document["modes"]}
    assert {mode: each["precision@4"] for mode, each in document["modes"].items()} == expected
    assert list(document["metrics"])[-1] == "precision@4"
    assert "precision@4" in document["groups"]["colour"]

    missed = evaluate(*asked, "--min", "precision@2=0.9")
    assert missed.exit_code == 3
    assert "precision@2 is" in missed.stderr
    other = json.loads(missed.stdout)
    assert "precision@2" in other["metrics"]

    runner = CliRunner()
    trec = str(Path(document["run"]) / "composed.trec")
    score = ["score", "--set", str(labelled), "--run", trec, "--json"]
    scored = document_of(runner.invoke(app, [*score, "--measure", "precision@4"]))
    assert scored["metrics"]["precision@4"] == document["metrics"]["precision@4"]
    assert runner.invoke(app, [*score, "--min", "precision@4=0.01"]).exit_code == 0

    both = ["compare", f"{document['run']}:image", document["run"]]
    compared = document_of(runner.invoke(app, [*both, "--measure", "precision@4", "--json"]))
    assert [each["metrics"]["precision@4"] for each in compared["runs"]] == pytest.approx(
        [expected["image"], expected["composed"]], abs=1e-6
    )
    refused = runner.invoke(app, ["compare", document["run"], other["run"], "--measure", "map@5"])
    assert refused.exit_code == 0
    refused = runner.invoke(
        app, ["compare", document["run"], other["run"], "--measure", "precision@4"]
    )
    assert refused.exit_code == 2
    assert "--measure" in refused.stderr

    table = rank_table(open_run(Path(document["run"]), Path()))
    assert isinstance(table, RankTable)
    part = table.of_group("pattern").figures()["composed"]
    assert part["precision@4"] == pytest.approx(document["groups"]["pattern"]["precision@4"])
    with pytest.raises(UsageError, match="precision@k"):
        parse_measure("unknown")


MODULE = '''
"""One query a line: reference, instruction and target, parted by tabs."""

import hashlib

from eval.measures import MEASURES, Recall
from eval.sets.formats import Format, Option, Rankings
from eval.sets.labelled import LabelledQuery, LabelledSet, Protocol


def load(name, root, split, options):
    text = (root / "queries.tsv").read_text()
    rows = [line.split("\\t") for line in text.splitlines()]
    if options.get("upside_down"):
        rows.reverse()
    queries = tuple(
        LabelledQuery(f"line-{number}", reference, instruction, {target: 1})
        for number, (reference, instruction, target) in enumerate(rows, 1)
    )
    digest = hashlib.sha256(repr(rows).encode()).hexdigest()
    return LabelledSet(name, split or "all", queries, digest, FORMAT)


def read_submission(path, content, labelled):
    return Rankings({query: found.split() for query, found in content.items()})


def write_submission(ranked, among):
    return {"lines.txt": "".join(f"{query}: {found[0]}\\n" for query, found in ranked.items())}


FORMAT = Format(
    title="Lines",
    names=("lines",),
    published="2030-01",
    protocol=Protocol(
        measures=(*MEASURES, Recall(2)),
        image_id=lambda path: path.removesuffix(".png"),
    ),
    load=load,
    options=(Option("upside_down", "begin with the last line"),),
    query_id=lambda name, labelled: f"line-{name}",
    read_submission=read_submission,
    write_submission=write_submission,
)
'''
"""A format that the bench does not have."""


@pytest.fixture
def lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module of the format "lines" beside the others; gives the root of a set of it."""
    folder = tmp_path / "formats"
    folder.mkdir()
    (folder / "lines.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    package.formats.cache_clear()
    root = tmp_path / "annotations"
    root.mkdir()
    rows = ["red\tin blue\tblue", "green\twith stripes\tstriped ones/green"]
    (root / "queries.tsv").write_text("\n".join(rows), encoding="utf-8")
    yield root
    sys.modules.pop(f"{package.__name__}.lines", None)
    package.formats.cache_clear()


def test_a_new_format_is_listed_run_scored_and_handed_in(
    lines: Path, evaluate: Evaluate, gallery: Path, tmp_path: Path
) -> None:
    runner = CliRunner()
    states = document_of(runner.invoke(app, ["sets", "--json"]))
    assert [state["name"] for state in states][-1] == "lines"  # type: ignore[index]
    document = document_of(
        evaluate("--set", "lines", "--root", lines, "--gallery", gallery, "--json")
    )
    assert (document["queries"], "recall@2" in document["metrics"]) == (2, True)
    kept = json.loads((Path(document["run"]) / "run.json").read_text())["settings"]
    assert (kept["format"], kept["upside_down"], kept["small_gallery"]) == ("lines", False, False)

    file = tmp_path / "answers.json"
    file.write_text(json.dumps({"line-1": "blue red", "2": "red blue"}))
    scored = document_of(
        runner.invoke(
            app,
            ["score", "--set", "lines", "--root", str(lines), "--run", str(file), "--json"],
        )
    )
    assert scored["metrics"]["recall@1"] == 0.5

    out = tmp_path / "out"
    (written,) = document_of(
        runner.invoke(app, ["submission", document["run"], "--out", str(out), "--json"])
    )["files"]
    first = rankings(document["run"], "composed")
    assert Path(written).read_text().splitlines() == [
        f"{query}: {paths[0].removesuffix('.png')}" for query, paths in first.items()
    ]


def test_the_option_of_a_new_format_is_a_flag_a_setting_and_read_again(
    lines: Path, evaluate: Evaluate, gallery: Path
) -> None:
    given: list[Mapping[str, bool]] = []
    commands = typer.Typer()

    @commands.command()
    @with_format_options
    def show(name: str = "x", *, reading: Mapping[str, bool]) -> None:
        given.append(reading)

    assert CliRunner().invoke(commands, ["--upside-down"]).exit_code == 0
    assert "Lines: begin with the last line." in CliRunner().invoke(commands, ["--help"]).stdout
    assert given == [{"small_gallery": False, "both_orders": False, "upside_down": True}]

    labelled = load_place(Place("lines", "lines", lines), options=given[0])
    document = run(labelled, Request(gallery), load_settings())
    first, *_ = rankings(document["run"], "composed")
    opened = open_run(Path(document["run"]), Path())
    assert asked_queries(opened)[first].reference == "green"
    assert opened.part("settings")["upside_down"] is True
    with pytest.raises(UsageError, match="cirr cannot be read with upside_down: only Lines can"):
        load_set("cirr", lines, options={"upside_down": True})
