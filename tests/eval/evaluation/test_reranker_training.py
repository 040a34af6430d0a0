"""A reranker finetuned on a part of a labelled set, and measured on the rest."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eval.cli.app import app
from tests.cir.rerank.tiny_reranker import write_reranker
from tests.eval.command_line import WriteSet
from tests.eval.conftest import COLOURS
from tests.needs import needs

needs("FlagEmbedding", "finetuning a text reranker needs FlagEmbedding")


@pytest.fixture
def asked(
    own_gallery: Path, write_set: WriteSet, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Options of a command over 60 queries: each picture in each other colour."""
    monkeypatch.setenv("CIR_DATA_DIR", str(data_dir))
    kinds = {"": "", "striped ones/": "striped "}
    lines = [
        f"{kind}{name}.png,a {word}{name} one" for kind, word in kinds.items() for name in COLOURS
    ]
    (own_gallery / "metadata.csv").write_text("\n".join(["file,title", *lines]) + "\n")
    changes = [
        (f"{kind}{one}.png", other, f"{kind}{other}.png")
        for kind in kinds
        for one in COLOURS
        for other in COLOURS
        if other != one
    ]
    folder = write_set(
        [
            {"_id": f"q{at}", "image": one, "text": f"in {to}"}
            for at, (one, to, _) in enumerate(changes)
        ],
        [(f"q{at}", target, 1) for at, (_, _, target) in enumerate(changes)],
    )
    return ["--set", str(folder), "--gallery", str(own_gallery), "--steps", "2", "--json"]


def command(*arguments: object) -> tuple[int, dict[str, object]]:
    done = CliRunner().invoke(app, ["finetune-reranker", *map(str, arguments)])
    return done.exit_code, json.loads(done.stdout)


def test_it_is_measured_on_what_is_held_out(asked: list[str], tmp_path: Path) -> None:
    base, out = write_reranker(tmp_path / "base"), tmp_path / "out"
    code, document = command(*asked, "--columns", "title", "--base", base, "--out", out)
    assert code == 0
    pinned = "set, encoder, queries, held_out, figures, gains, seconds, out"
    assert document.keys() == {*pinned.split(", ")}
    assert (document["queries"], document["held_out"]) == (30, 30)
    figures = document["figures"]
    assert isinstance(figures, list)
    assert [(each["rerank"], each["weight"]) for each in figures] == [
        (None, 0),
        ("words", 0.1),
        ("words", 0.2),
        ("flag", 0.1),
        ("flag", 0.2),
    ]
    assert all(each.keys() == {"rerank", "weight", "recall@1", "recall@10"} for each in figures)
    assert figures[2]["recall@1"] >= figures[0]["recall@1"]  # titles name the colours
    about = json.loads((out / "finetuning.json").read_text())
    assert about.items() >= document.items()
    assert len(about["held_out_queries"]) == 30 and about["columns"] == ["title"]
    assert not [*out.glob("*.bin")]


def test_what_cannot_be_is_told_and_leaves_nothing(
    asked: list[str], tmp_path: Path, write_set: WriteSet
) -> None:
    base, out = write_reranker(tmp_path / "base"), tmp_path / "out"
    given = ("--base", base, "--out", out)
    code, document = command(*asked, "--columns", "colour", *given)
    assert (code, 'no column "colour"' in str(document["error"])) == (2, True)
    code, document = command(*asked, "--columns", "title", "--held-out", "1", *given)
    assert (code, "between 0 and 1" in str(document["error"])) == (2, True)
    code, document = command(*asked, "--columns", "title", "--base", base, "--out", base)
    assert (code, "is not empty" in str(document["error"])) == (2, True)
    few = write_set(
        [
            {"_id": f"q{at}", "image": f"{one}.png", "text": "in red"}
            for at, one in enumerate(COLOURS[1:])
        ],
        [(f"q{at}", "red.png", 1) for at in range(5)],
        name="few",
    )
    code, document = command(*asked, "--set", few, "--columns", "title", *given)
    assert (code, "at least 20 are needed" in str(document["error"])) == (2, True)
    assert not out.exists()
