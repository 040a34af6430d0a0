"""The keys of every `--json` document, and the exit codes: programs rely on them."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cir.cli.app import app as cir_app
from eval.cli.app import app as eval_app
from tests.drawn import spoil_album
from tests.eval.layouts import CIRR_IMAGES, cirr_records, draw_all, write_cirr
from tests.guard.stored import INDEX, Stored, unpack

APPS = {"cir": cir_app, "eval": eval_app}

MRR = "recall@1, recall@5, recall@10, recall@50, mrr"
MEASURES = (
    f"{MRR}, recall_fraction@5, recall_fraction@10, recall_fraction@50, "
    "map@5, map@10, map@50, ndcg@5, ndcg@10, ndcg@50"
)
SOLVERS = "image, text, either, sum, composed, unsolved"
CIRR = f"{MRR}, recall_subset@1, recall_subset@2, recall_subset@3, recall@5+recall_subset@1"
COLUMNS = "file, colour, fabric, price, on_sale"
INGEST = {
    "": "index, encoder, added, updated, unchanged, removed, failed, looked_at, strange, "
    "metadata, seconds",
    "metadata": "matched, unmatched, unmatched_rows",
}
FAILED = {"failed[]": "path, reason"}
RUN = {
    "": "set, encoder, queries, metrics, groups, reference, absent, failed, notes, seconds, run",
    "reference": "kept, with, without",
    "absent": "references, targets, unreachable_queries",
    "seconds": "encoder, gallery, reading, encoding, search, queries, measures, total",
}
FIGURES = {
    "metrics": MEASURES,
    "groups": "colour, pattern, (none)",
    "groups.*": f"queries, {MEASURES}",
}
DIFFERENCE = "delta, low, high, p, p_holm, better, worse, same"
TRANSFER = {"": "index, encoder, file, images, bytes, source, state, seconds"}
REFERENCE = {"reference.with": MEASURES, "reference.without": MEASURES}

KEYS: dict[str, dict[str, str]] = {
    "cir index": INGEST | FAILED,
    "cir sample": INGEST,
    "cir search": {
        "": "index, encoder, query, close, hits",
        "query": "image, more, text, limit, where, balance, composition, less, less_image, "
        "crop, turn, words, threshold, group_by, fold, distinct, "
        "rerank, rerank_columns, rerank_weight, rerank_depth",
        "hits[]": "id, path, score, metadata",
        "hits[].metadata": COLUMNS,
    },
    "cir indexes": {
        "": "indexes",
        "indexes[]": "name, encoder, precision, dim, source, state, count, created, updated, "
        "columns, index_type, recall",
        "indexes[].columns": COLUMNS,
    },
    "cir title": {"": "index, title_column"},
    "cir rebuild": {"": "index, index_type, recall"},
    "cir index --re-encode": {
        "": "index, encoder, images, encoded, from_thumbnails, failed, seconds"
    },
    "cir export": TRANSFER,
    "cir import": TRANSFER,
    "cir encoders": {
        "": "encoders",
        "encoders[]": "name, title, recommended_for, dim, parameters, download_bytes, licence, "
        "source, hub, folders, memory_bytes, knows, state",
        "encoders[].hub": "repository, file, tokenizer, more",
        "encoders[].folders[]": "repository, files, last, revision, code",
    },
    "cir drop": {"": "dropped"},
    "eval run": RUN | FAILED | FIGURES | REFERENCE,
    "eval run --ablations": RUN
    | FAILED
    | FIGURES
    | REFERENCE
    | {
        "": f"{RUN['']}, modes, composition_gain",
        "modes": "composed, image, text, sum",
        "modes.*": MEASURES,
        "composition_gain": MEASURES,
        "composition_gain.*": "best, mode, points",
    },
    "eval run, cirr": RUN
    | {"metrics": CIRR, "reference.with": CIRR, "reference.without": CIRR, "groups": ""},
    "eval run, no targets": RUN
    | {"": f"{RUN['']}, judged", "metrics": "", "groups": ""}
    | {"reference.with": "", "reference.without": ""},
    "eval score": {"": "set, queries, metrics, groups"} | FIGURES,
    "eval shortcuts": {
        "": "runs, k, queries, counts, shortcut_share, lost, composition_gap, groups, solved_by",
        "counts": SOLVERS,
        "composition_gap": "mrr, recall@10",
        "groups": "colour, pattern, (none)",
        "groups.*": SOLVERS,
        "solved_by": "q1, q2, q3, q4, q5, q6",
    },
    "eval import": RUN | FIGURES | REFERENCE | {"seconds": "reading, total"},
    "eval reword": {"": "set, added", "added": "typo, polite"},
    "eval run, wordings": RUN
    | FIGURES
    | REFERENCE
    | {
        "": f"{RUN['']}, wordings",
        "wordings": "queries, wordings, metrics",
        "wordings.metrics": MEASURES,
        "wordings.metrics.*": "mean, worst, spread",
    },
    "eval check": {"": ""},
    "eval agreement": {
        "": "queries, judgements, observed, kappa, both, neither, first_only, second_only, "
        "disputed, unshared",
        "disputed": "",
    },
    "eval sets": {"[]": "name, format, root, images, split, queries, gallery, lacks"},
    "eval register": {"": "registered"},
    "eval forget": {"": "forgotten"},
    "eval submission": {"": "files"},
    "eval compare": {
        "": "set, queries, measure, seed, runs, comparisons, clusters, notes",
        "runs[]": "run, mode, encoder, metrics",
        "runs[].metrics": MEASURES,
        "comparisons[]": "run, against, metrics, groups, words",
        "comparisons[].metrics": MEASURES,
        "comparisons[].metrics.*": DIFFERENCE,
        "comparisons[].groups": "colour, pattern, (none)",
        "comparisons[].groups.*": f"{DIFFERENCE}, queries, first, this, clusters",
    },
    "eval difficulty": {
        "": "set, runs, measure, queries, notes",
        "queries[]": "id, groups, instruction, mean, missed, separates, agreed, doubts",
    },
    "eval mean": {"": "sets, encoder, modes", "modes": "composed", "modes.*": MEASURES},
    "eval repeat": {
        "": "run, repeats, same, figures, one_side, rankings, conditions",
        "figures": "",
        "one_side": "before, after",
        "conditions": "",
        "rankings": "composed.trec",
        "rankings.*": "queries, first, bytes",
    },
    "eval report": {"": "report, notes"},
    "eval note": {"": "run, note"},
    "eval pool": {"": "depth, queries", "queries": "q1, q2, q3, q4, q5, q6"},
    "eval rename": {"": "renamed, name"},
    "eval delete": {"": "deleted"},
    "eval card": {
        "": "set, encoder, parameters, modes, robustness, speed, captions, same_type_rate, "
        "colours, worst",
        "modes": "composed, image, text, sum",
        "modes.*": "all, colour, pattern",
        "modes.*.*": MRR,
        "robustness": "as written, capitals, polite, synonyms, paraphrased, one typo, two typos",
        "robustness.*": "recall@10, first ten kept",
        "speed": "ms a composed query, ms a new instruction, ms an image in a batch",
        "captions": "recall@1, recall@5, recall@10, recall@50",
        "worst[]": "query, group, instruction, rank",
    },
}
"""Of each document the keys of each of its objects; `[]` is any entry of a list, `*` any value of
an object that holds objects alone."""


def keys_of(document: Any, place: str = "") -> dict[str, set[str]]:
    """The keys of each object in a document, written as in `KEYS`."""
    found: dict[str, set[str]] = {}
    if isinstance(document, dict):
        found[place] = set(document)
        alike = bool(document) and all(isinstance(each, dict) for each in document.values())
        start = f"{place}." if place else ""
        below = [(each, f"{start}{'*' if alike else key}") for key, each in document.items()]
    else:
        below = [(each, f"{place}[]") for each in document] if isinstance(document, list) else []
    for each, its_place in below:
        for where, keys in keys_of(each, its_place).items():
            found.setdefault(where, set()).update(keys)
    return found


class Commands:
    """Both command lines in this process, which is quicker than another one a call."""

    def __init__(self, data_dir: Path) -> None:
        self.runner = CliRunner(env={"CIR_DATA_DIR": str(data_dir)})

    def document(self, name: str, *arguments: object, exit_code: int = 0) -> Any:
        """What a command with `--json` prints; `card` prints a document in any case."""
        as_json = () if "card" in arguments else ("--json",)
        result = self.runner.invoke(APPS[name], [*map(str, arguments), *as_json])
        assert result.exit_code == exit_code, result.stderr
        return json.loads(result.stdout)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """One copy for the module."""
    return unpack(tmp_path_factory.mktemp("documents"))


@pytest.fixture(scope="module")
def commands(stored: Stored) -> Commands:
    """Commands on that copy."""
    return Commands(stored.folder / "data")


@pytest.fixture(scope="module")
def documents(commands: Commands, stored: Stored) -> dict[str, Any]:
    """A document of each kind."""
    folder, pictures, ask = stored.folder, stored.pictures, commands.document
    listed = [path.relative_to(pictures) for path in sorted(pictures.rglob("*.png"))]
    found: dict[str, Any] = {}
    # Where the photos are already, none are fetched; drawing the catalogue would take longer.
    shutil.copytree(pictures, folder / "data" / "tutorial")
    found["cir sample"] = ask("cir", "sample", "--tutorial")
    spoilt = spoil_album(pictures)
    found["cir index"] = ask("cir", "index", pictures, "--name", INDEX)
    question = ("--image", pictures / "red.png", "--text", "blue", "--where", "price>=10")
    found["cir search"] = ask("cir", "search", INDEX, *question)
    found["cir indexes"] = ask("cir", "indexes")
    found["cir encoders"] = ask("cir", "encoders")
    found["cir title"] = ask("cir", "title", INDEX)
    found["cir rebuild"] = ask("cir", "rebuild", INDEX)
    backup = folder / "backup.parquet"
    found["cir export"] = ask("cir", "export", INDEX, backup)
    found["cir import"] = ask("cir", "import", backup, "--name", "imported")
    found["cir index --re-encode"] = ask("cir", "index", INDEX, "--re-encode")
    found["cir drop"] = ask("cir", "drop", INDEX)

    asked = ("--set", folder / "set", "--gallery", pictures)
    plain = found["eval run"] = ask("eval", "run", *asked)
    found["eval run --ablations"] = ask("eval", "run", *asked, "--ablations")
    root = write_cirr(folder / "cirr")
    write_cirr(root, cirr_records(judged=False), "test1")
    images = draw_all(folder / "images", [f"dev/{name}.png" for name in CIRR_IMAGES])
    cirr = ("--set", "cirr", "--root", root, "--gallery", images)
    other = found["eval run, cirr"] = ask("eval", "run", *cirr)
    found["eval run, no targets"] = ask("eval", "run", *cirr, "--split", "test1")
    ranked = Path(plain["run"]) / "composed.trec"
    found["eval score"] = ask("eval", "score", "--set", folder / "set", "--run", ranked)
    files = folder / "submission"
    found["eval submission"] = ask("eval", "submission", other["run"], "--out", files)
    found["eval compare"] = ask("eval", "compare", plain["run"], stored.run, f"{stored.run}:sum")
    found["eval difficulty"] = ask("eval", "difficulty", plain["run"], stored.run)
    again = shutil.copytree(folder / "set", folder / "set again")
    queries = again / "queries.jsonl"
    queries.write_text(queries.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    second = ask("eval", "run", "--set", again, "--gallery", pictures)
    found["eval mean"] = ask("eval", "mean", plain["run"], second["run"])
    found["eval repeat"] = ask("eval", "repeat", plain["run"])
    found["eval report"] = ask("eval", "report", plain["run"], "--html", folder / "page.html")
    found |= documents_of_a_run(commands, Path(plain["run"]).name)
    for name in spoilt:
        (pictures / name).unlink()
    found |= documents_of_sets(commands, stored, Path(second["run"]))
    rows = [f"{path},a {path.stem},{path.parent.name},{path.stem}" for path in listed]
    table = folder / "products.csv"
    table.write_text("\n".join(["file,name,articleType,baseColour", *rows]), encoding="utf-8")
    found["eval card"] = ask("eval", "card", *asked, "--table", table)
    return found


def documents_of_a_run(commands: Commands, name: str) -> dict[str, Any]:
    """Those of commands that change a run and take it away."""
    return {
        "eval note": commands.document("eval", "note", name, "the first"),
        "eval rename": commands.document("eval", "rename", name, "renamed"),
        "eval delete": commands.document("eval", "delete", "renamed"),
    }


def documents_of_sets(commands: Commands, stored: Stored, run: Path) -> dict[str, Any]:
    """Those of commands that look at a labelled set, or at what others found for it."""
    labelled, again, ask = stored.folder / "set", stored.folder / "reworded", commands.document
    asked = ("--set", labelled, "--gallery", stored.pictures)
    kinds = ("--kind", "typo", "--kind", "polite")
    place = ("--root", labelled, "--images", stored.pictures)
    return {
        "eval sets": ask("eval", "sets"),
        "eval register": ask("eval", "register", "again", *place),
        "eval forget": ask("eval", "forget", "again"),
        "eval shortcuts": ask("eval", "shortcuts", stored.run),
        "eval import": ask("eval", "import", run / "composed.trec", *asked, "--system", "other"),
        "eval check": ask("eval", "check", *asked),
        "eval agreement": ask("eval", "agreement", labelled, labelled),
        "eval reword": ask("eval", "reword", "--set", labelled, "--out", again, *kinds),
        "eval run, wordings": ask("eval", "run", "--set", again, "--gallery", stored.pictures),
        "eval pool": ask("eval", "pool", run, stored.run, "--set", labelled),
    }


@pytest.mark.parametrize("name", KEYS)
def test_documents_keep_their_keys(name: str, documents: dict[str, Any]) -> None:
    pinned = {place: {*keys.split(", ")} - {""} for place, keys in KEYS[name].items()}
    assert keys_of(documents[name]) == pinned


def test_every_command_is_pinned() -> None:
    commands = {
        f"{name} {command.name}"
        for name, app in APPS.items()
        for command in app.registered_commands
    }
    no_document = {"cir serve"}  # runs until it is stopped
    assert {" ".join(name.split()[:2]).rstrip(",") for name in KEYS} == commands - no_document


@pytest.mark.parametrize(
    ("exit_code", "arguments"),
    [
        (1, ("cir", "search", INDEX, "--image", "text.jpg")),
        (1, ("eval", "score", "--set", "lost", "--run", "file")),
        (2, ("cir", "search", "no such index", "--text", "red")),
        (2, ("cir", "index", "no such folder", "--name", "x")),
        (2, ("cir", "search", INDEX, "--no-such-option")),
        (2, ("eval", "run", "--set", "no such set", "--gallery", "no such folder")),
        (2, ("eval", "compare", "no such run", "nor this")),
        (2, ("eval", "run", "--no-such-option")),
    ],
)
def test_errors_are_documents_with_exit_codes(
    exit_code: int, arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spoil_album(tmp_path)
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    if "lost" in arguments:
        (data_dir / "registered_sets.json").write_text("{", encoding="utf-8")
    document = Commands(data_dir).document(*arguments, exit_code=exit_code)
    assert list(document) == ["error"] and document["error"]


def test_a_missed_minimum_is_three_beside_the_document(commands: Commands, stored: Stored) -> None:
    score = ("score", "--set", stored.folder / "set", "--run", stored.run / "composed.trec")
    assert commands.document("eval", *score, "--min", "recall@1=0.4")["queries"] == 6
    missed = commands.document("eval", *score, "--min", "recall@1=0.9", exit_code=3)
    assert missed["metrics"]["recall@1"] == pytest.approx(0.5)
