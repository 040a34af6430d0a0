"""A few training steps end to end, and the committed graphs against their manifest."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cir.encoders.compact.encoder import FILES, FOLDER, CompactEncoder
from tests.cir.training.drawn_products import draw_products
from tests.needs import needs

needs("onnxscript", "training needs requirements-dev.txt")


def train(photos: Path, table: Path, out: Path, work: Path, steps: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "cir.training", "compact"]
    command += ["--photos", str(photos), "--table", str(table)]
    command += ["--out", str(out), "--work", str(work), "--steps", str(steps), "--batch", "32"]
    command += ["--no-drawings", "--epochs", "1", "--device", "cpu"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    manifest: dict[str, Any] = json.loads((out / "manifest.json").read_text())
    return manifest


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("training")
    photos, table = draw_products(folder)
    return folder / "out", train(photos, table, folder / "out", folder / "work", steps=6)


def test_training_writes_graphs_that_the_encoder_loads(
    trained: tuple[Path, dict[str, Any]],
) -> None:
    out, _ = trained
    encoder = CompactEncoder(out)
    image = Image.new("RGB", (50, 80), "red")
    rows = encoder.encode_composed([image, image], ["in blue", ""])
    assert rows.shape == (2, 512)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert np.allclose(rows[1], encoder.encode_images([image])[0], atol=1e-5)
    assert not np.allclose(rows[0], rows[1], atol=1e-3)


def test_the_graphs_compute_what_the_trained_model_computes(
    trained: tuple[Path, dict[str, Any]],
) -> None:
    import torch

    from cir.encoders.compact.preprocess import pixels
    from cir.training.compact import Trainer
    from cir.training.products import read_products
    from cir.training.settings import TrainingSettings
    from cir.training.tower import SIDE

    out, manifest = trained
    folder = out.parent
    products = read_products(folder / "photos", folder / "products.csv")
    settings = TrainingSettings(steps=6, batch=32, epochs=1)
    trainer = Trainer(products, folder / "work", settings)
    trainer.run()  # it loads what was trained, and fits the ranking anew
    assert trainer.trained.space.bound > 0
    encoder = CompactEncoder(out)
    noise = np.random.default_rng(0).integers(0, 255, (4, 90, 70, 3), dtype=np.uint8)
    images = [Image.fromarray(each) for each in noise]
    texts = ["in red", "the same for women, please", "striped", "a blue one"]
    encodings = encoder._tokenizer.encode_batch(texts)
    ids = torch.tensor([each.ids for each in encodings])
    with torch.inference_mode():
        features = trainer.tower(torch.from_numpy(pixels(images, SIDE)))
        none = torch.tensor([encoder._tokenizer.encode("").ids] * len(images))
        wanted = [
            trainer.trained.rows(*each).numpy()
            for each in ((features, ids), (features, none), (None, ids), (None, none))
        ]
    got = [
        encoder.encode_composed(images, texts),
        encoder.encode_images(images),
        encoder.encode_texts(texts),
        encoder.encode_texts([""] * len(texts)),
    ]
    for each, other in zip(got, wanted, strict=True):
        assert (each * other).sum(axis=1).min() > 0.9999
    assert manifest["settings"]["steps"] == 6


def test_the_manifest_tells_what_made_the_graphs(trained: tuple[Path, dict[str, Any]]) -> None:
    from cir.training.manifest import checksums

    out, manifest = trained
    assert manifest["sha256"] == checksums(out)
    assert {"data_sha256", "settings", "metrics", "packages", "seconds"} <= manifest.keys()
    assert manifest["metrics"]["queries"] > 0


def test_a_second_call_continues_from_the_checkpoint(
    trained: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    out, manifest = trained
    folder = out.parent
    again = train(
        folder / "photos", folder / "products.csv", tmp_path / "out", folder / "work", steps=6
    )
    assert again["sha256"] == manifest["sha256"]
    assert again["data_sha256"] == manifest["data_sha256"]


def test_a_stopped_training_continues_to_the_same_files(
    trained: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    from cir.training.compact import Trainer
    from cir.training.products import read_products
    from cir.training.settings import TrainingSettings

    out, manifest = trained
    folder = out.parent
    products = read_products(folder / "photos", folder / "products.csv")
    stopped = Trainer(products, tmp_path, TrainingSettings(steps=6, batch=32, epochs=1))
    for _ in range(3):
        stopped._one_step()
    stopped._save()
    again = train(folder / "photos", folder / "products.csv", tmp_path / "out", tmp_path, steps=6)
    assert again["sha256"] == manifest["sha256"]


def test_the_committed_graphs_are_those_of_the_manifest() -> None:
    from cir.training.manifest import checksums

    manifest = json.loads((FOLDER / "manifest.json").read_text())
    assert manifest["sha256"] == checksums(FOLDER)


def test_the_committed_graphs_name_no_machine() -> None:
    for name in FILES:
        content = (FOLDER / name).read_bytes()
        assert not any(word in content for word in (b"site-packages", b"/home/", b"/root/"))


def test_photos_and_table_that_are_not_there_are_wrong_use(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cir.training", "compact", "--photos", str(tmp_path / "no")]
    command += ["--table", str(tmp_path / "no.csv"), "--work", str(tmp_path / "work")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "is not a folder of photos" in done.stderr
    assert "Traceback" not in done.stderr
