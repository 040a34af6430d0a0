"""A real labelled set of product photos, where it is at hand."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eval.cli.app import app
from eval.sets.formats.native import load_native
from tests.places import REPOSITORY

FASHION = Path(os.environ.get("CIR_SHARED_DATA") or REPOSITORY.parent / "shared") / "fashion"

pytestmark = pytest.mark.skipif(
    not (FASHION / "dev" / "queries.jsonl").is_file(),
    reason=f"no product photos in {FASHION}; CIR_SHARED_DATA names the folder that holds fashion/",
)


WriteSet = Callable[..., Path]


def test_the_set_is_read_whole() -> None:
    labelled = load_native(FASHION / "dev")
    groups = Counter(query.group for query in labelled.queries)
    assert groups == {"colour": 270, "type": 120, "gender": 90, "feature": 120}
    assert sum(len(query.targets) for query in labelled.queries) == 2632
    photos = FASHION / "photos" / "dev"
    named = {path for query in labelled.queries for path in (query.reference, *query.targets)}
    assert all((photos / path).is_file() for path in named)


def test_a_part_of_it_runs(
    write_set: WriteSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = load_native(FASHION / "dev").queries[:12]
    photos = tmp_path / "photos"
    photos.mkdir()
    for path in {path for query in queries for path in (query.reference, *query.targets)}:
        shutil.copy(FASHION / "photos" / "dev" / path, photos / path)
    folder = write_set(
        [
            {"_id": one.id, "image": one.reference, "text": one.instruction, "group": one.group}
            for one in queries
        ],
        [(one.id, path, grade) for one in queries for path, grade in one.targets.items()],
    )
    monkeypatch.setenv("CIR_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("CIR_MILVUS_URI", raising=False)
    result = CliRunner().invoke(
        app, ["run", "--set", str(folder), "--gallery", str(photos), "--ablations", "--json"]
    )
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["queries"] == 12
    assert document["metrics"]["recall@50"] > 0
