"""`python -m eval run` with a large encoder: a small checkpoint."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cir.settings import load_settings
from cir.store import gallery_store
from tests.eval.command_line import QRELS, QUERIES, Evaluate, WriteSet, document_of
from tests.needs import needs
from tests.places import GOLDEN

needs("torch", "torch comes with requirements.txt")
NAME = "visualized-bge-base"
TOKENIZER = ("--tokenizer", GOLDEN / "tiny-base-tokenizer", "--device", "cpu")


def galleries() -> set[tuple[str, str]]:
    """Fingerprint and precision of every gallery that is kept."""
    store = gallery_store(load_settings())
    try:
        return {(info.fingerprint, info.precision) for info in store.list("gallery")}
    finally:
        store.close()


def test_a_gallery_belongs_to_weights_and_precision(
    evaluate: Evaluate,
    labelled: Path,
    own_gallery: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(*more: object, weights: Path = GOLDEN / "tiny-base.pth") -> dict[str, Any]:
        files = ("--weights", weights, *TOKENIZER)
        common = ("--set", labelled, "--gallery", own_gallery, "--encoder", NAME, "--json")
        kept = Path(document_of(evaluate(*common, *files, *more))["run"]) / "run.json"
        told: dict[str, Any] = json.loads(kept.read_text())
        return told

    def made() -> int:
        return len(galleries())

    exact = run()
    assert (exact["encoder"], exact["precision"], made()) == (NAME, "exact", 1)
    moved = tmp_path / "moved.pth"
    shutil.copy(GOLDEN / "tiny-base.pth", moved)
    again = run(weights=moved)
    assert (again["gallery"]["name"], made()) == (exact["gallery"]["name"], 1)
    fast = run("--precision", "bf16")
    assert (fast["precision"], made()) == ("bf16", 2)
    assert fast["encoder_fingerprint"] == exact["encoder_fingerprint"]
    assert fast["gallery"]["name"] != exact["gallery"]["name"]
    assert galleries() == {
        (exact["encoder_fingerprint"], "exact"),
        (exact["encoder_fingerprint"], "bf16"),
    }


def test_an_index_is_run_with_weights_that_moved(
    evaluate: Evaluate, write_set: WriteSet, own_gallery: Path, tmp_path: Path
) -> None:
    from cir.encoders import registry
    from cir.encoders.registry import load_encoder
    from cir.indexing.folder import ingest
    from cir.store import index_store

    weights = tmp_path / "here.pth"
    shutil.copy(GOLDEN / "tiny-base.pth", weights)
    encoder = load_encoder(NAME, weights, TOKENIZER[1], device="cpu")
    store = index_store(load_settings())
    ingest(store, own_gallery, "tiny", encoder)
    store.close()
    moved = weights.rename(tmp_path / "there.pth")
    registry._loaded.cache_clear()  # as in another process
    arguments = ("--set", write_set(QUERIES, QRELS), "--index", "tiny", "--device", "cpu")
    refused = evaluate(*arguments)
    assert refused.exit_code == 1
    assert "here.pth" in refused.stderr and "--weights" in refused.stderr
    assert document_of(evaluate(*arguments, "--weights", moved, "--json"))["queries"] == 3
