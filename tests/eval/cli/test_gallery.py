"""What `python -m eval run` searches: a changing folder, damaged and absent images, an index."""

import dataclasses
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL.Image import Image

from cir.encoders.compact.encoder import CompactEncoder
from cir.encoders.protocol import Embeddings
from cir.encoders.registry import load_encoder
from cir.indexing.folder import ingest
from cir.settings import load_settings
from cir.store import MilvusStore, exactness
from tests.cir.store.samples import as_made_before
from tests.eval.command_line import QRELS, QUERIES, Evaluate, WriteSet, document_of, rankings


def test_a_gallery_is_reused_and_follows_its_folder(
    evaluate: Evaluate, labelled: Path, own_gallery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def images() -> int:
        document = document_of(evaluate("--set", labelled, "--gallery", own_gallery, "--json"))
        kept = json.loads((Path(document["run"]) / "run.json").read_text())
        return int(kept["gallery"]["images"])

    assert images() == 12

    encoder = load_encoder("compact")
    embedded: list[Image] = []

    assert isinstance(encoder, CompactEncoder)

    def remembering(images: Sequence[Image]) -> tuple[Embeddings, NDArray[np.bool_] | None]:
        embedded.extend(images)
        return CompactEncoder.encode_and_look(encoder, images)

    monkeypatch.setattr(encoder, "encode_and_look", remembering)
    monkeypatch.setattr("eval.evaluation.running.load_encoder", lambda *_, **__: encoder)
    assert (images(), len(embedded)) == (12, 0)
    shutil.copy(own_gallery / "red.png", own_gallery / "more.png")
    assert (images(), len(embedded)) == (13, 1)
    (own_gallery / "more.png").unlink()
    assert (images(), len(embedded)) == (12, 1)


def test_a_damaged_image_is_reported(evaluate: Evaluate, labelled: Path, own_gallery: Path) -> None:
    (own_gallery / "broken.png").write_bytes(b"not a picture")
    arguments = ("--set", labelled, "--gallery", own_gallery)
    (failed,) = document_of(evaluate(*arguments, "--json"))["failed"]
    assert failed["path"] == "broken.png"
    assert failed["reason"]
    assert "could not be read: 1 ('broken.png'" in evaluate(*arguments).stdout


def test_an_image_that_was_damaged_meanwhile_leaves_the_gallery(
    evaluate: Evaluate, labelled: Path, own_gallery: Path
) -> None:
    arguments = ("--set", labelled, "--gallery", own_gallery, "--json")
    document_of(evaluate(*arguments))
    (own_gallery / "blue.png").write_bytes(b"not a picture")
    refused = evaluate(*arguments)
    assert refused.exit_code == 2
    assert "1 target ('blue.png' in" in refused.stderr
    document = document_of(evaluate(*arguments, "--allow-missing"))
    assert "blue.png" not in rankings(document["run"], "composed")["q1"]


def test_absent_images_stop_the_run_unless_allowed(
    evaluate: Evaluate, write_set: WriteSet, gallery: Path, data_dir: Path
) -> None:
    folder = write_set(
        [*QUERIES, {"_id": "q4", "image": "../photos/red.png", "text": "in green"}],
        [*QRELS, ("q1", "gone.png", 1), ("q4", "nowhere.png", 1)],
    )
    arguments = ("--set", folder, "--gallery", gallery, "--json")
    before = sorted((data_dir / "runs").glob("*"))
    refused = evaluate(*arguments)
    assert (refused.exit_code, list(json.loads(refused.stdout))) == (2, ["error"])
    assert "queries.jsonl, line 4" in refused.stderr
    assert "2 targets ('gone.png' in" in refused.stderr
    assert sorted((data_dir / "runs").glob("*")) == before
    document = document_of(evaluate(*arguments, "--allow-missing"))
    assert document["absent"] == {"references": 1, "targets": 2, "unreachable_queries": 1}
    assert document["queries"] == 4
    assert document["metrics"]["recall@50"] == 0.75


def test_an_index_is_searched_with_its_own_encoder(
    evaluate: Evaluate,
    labelled: Path,
    own_gallery: Path,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = load_settings()
    store = MilvusStore(settings.index_uri, settings.milvus_token, data_dir=data_dir)
    ingest(store, own_gallery, "my photos", load_encoder("compact"))
    arguments = ("--set", labelled, "--index", "my photos", "--json")
    document = document_of(evaluate(*arguments))
    assert (document["encoder"], document["metrics"]["recall@50"]) == ("compact", 1.0)
    kept = json.loads((Path(document["run"]) / "run.json").read_text())
    assert (kept["gallery"]["kind"], kept["gallery"]["name"]) == ("index", "my photos")
    assert (kept["gallery"]["index_type"], kept["gallery"]["recall"]) == ("FLAT", None)
    index = store.open("my photos")
    as_made_before(index)
    measured = index.measure_recall()
    assert measured is not None
    kept = json.loads((Path(document_of(evaluate(*arguments))["run"]) / "run.json").read_text())
    assert kept["gallery"]["index_type"] == "AUTOINDEX"
    assert kept["gallery"]["recall"] == dataclasses.asdict(measured)
    assert not any("exact" in note for note in kept["notes"])
    store._registry.update(
        index.info, {"recall": dataclasses.replace(measured, mean=0.9, worst=0.5)}
    )
    notes = " ".join(document_of(evaluate(*arguments))["notes"])
    assert "recall@20 was 0.90 on average and 0.50 at worst" in notes
    monkeypatch.setattr(exactness, "LITE_AUTO_IMAGES", 1)
    assert "until it is rebuilt" in " ".join(document_of(evaluate(*arguments))["notes"])
    other = evaluate(*arguments, "--encoder", "bge-other")
    assert (other.exit_code, list(json.loads(other.stdout))) == (2, ["error"])
    assert "'compact'" in other.stderr
    assert "'bge-other'" in other.stderr
    (own_gallery / "red.png").unlink()
    gone = evaluate(*arguments)
    assert gone.exit_code == 2
    assert "1 reference image ('red.png' in" in gone.stderr
