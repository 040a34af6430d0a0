"""What the tests of `python -m eval run` share."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer.testing import Result

from eval.measures import MEASURES
from eval.sets.trec import plain_id

NAMES = [str(measure) for measure in MEASURES]
MODES = ["composed", "image", "text", "sum"]
QUERIES = [
    {"_id": "q1", "image": "red.png", "text": "in blue", "group": "colour"},
    {"_id": "q2", "image": "green.png", "text": "with stripes", "group": "pattern"},
    {"_id": "q3", "image": "striped ones/blue.png", "text": "in red", "group": "colour"},
]
QRELS = [
    ("q1", "blue.png", 1),
    ("q2", "striped ones/green.png", 1),
    ("q3", "striped ones/red.png", 1),
]

Evaluate = Callable[..., Result]
WriteSet = Callable[..., Path]


def document_of(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def rankings(run: str | Path, mode: str) -> dict[str, list[str]]:
    """Query id -> ranked paths of a run file, checked to be in order."""
    ranked: dict[str, list[str]] = {}
    last: dict[str, float] = {}
    for line in (Path(run) / f"{mode}.trec").read_text(encoding="utf-8").splitlines():
        query_id, _, path, rank, score, _ = line.split()
        ranked.setdefault(plain_id(query_id), []).append(plain_id(path))
        assert int(rank) == len(ranked[query_id])
        assert float(score) < last.get(query_id, 2.0)
        last[query_id] = float(score)
    return ranked
