"""Encoders by fastembed: its real classes on generated graphs in the published layouts."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cir.encoders.protocol import Encoder
from cir.encoders.registry import encoder_spec, load_encoder
from cir.errors import EncoderError
from tests.cir.command_line import CommandLine
from tests.cir.encoders.tiny_graphs import DIM, LENGTH, write_images, write_texts
from tests.cir.hub import running_hub
from tests.drawn import checked, save, striped
from tests.needs import needs

needs("fastembed", "fastembed is in requirements-general.txt")

CLOSE = 1e-5
CLIP, SIGLIP = "fe:Qdrant/clip-ViT-B-32", "fe:google/siglip2-base-patch16-224"
TEXTS = ["in red", "blue stripes", "a"]


def write_clip(folder: Path) -> tuple[Path, Path]:
    """The folders of the two repositories."""
    image, text = folder / "image", folder / "text"
    write_images(image, "model.onnx", output="image_embeds")
    write_texts(text, "model.onnx", output="text_embeds", mask=True)
    return image, text


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def encoder(folders: tuple[Path, Path]) -> Encoder:
    return load_encoder(CLIP, *folders)


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    return [striped("red"), checked("blue", (80, 90)), striped("green", (60, 60))]


def test_a_composed_query_is_the_normalised_sum(
    encoder: Encoder, pictures: list[Image.Image]
) -> None:
    images, texts = encoder.encode_images(pictures), encoder.encode_texts(TEXTS)
    for rows in (images, texts):
        assert rows.shape == (3, DIM) and rows.dtype == np.float32
        assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=CLOSE)
    summed = images + texts
    summed /= np.linalg.norm(summed, axis=1, keepdims=True)
    assert encoder.encode_composed(pictures, TEXTS) == pytest.approx(summed, abs=CLOSE)
    alone = encoder.encode_composed(pictures, ["", " ", "red"])
    assert alone[:2] == pytest.approx(images[:2], abs=CLOSE)
    assert encoder.encode_images([]).shape == encoder.encode_texts([]).shape == (0, DIM)
    with pytest.raises(ValueError, match="do not pair up"):
        encoder.encode_composed(pictures, ["one"])


def test_rows_do_not_depend_on_their_batch(encoder: Encoder) -> None:
    together = encoder.encode_texts(TEXTS)
    for at, text in enumerate(TEXTS):
        assert encoder.encode_texts([text])[0] == pytest.approx(together[at], abs=CLOSE)


def test_long_texts_are_told(encoder: Encoder) -> None:
    assert encoder.truncates(["in red", "red " * (LENGTH + 1)]) == [False, True]


def test_siglip_is_read_from_one_folder(tmp_path: Path, pictures: list[Image.Image]) -> None:
    image, text = (each.last for each in encoder_spec(SIGLIP).folders)
    write_images(tmp_path, image, output="pooler_output", dim=768)
    write_texts(tmp_path, text, output="pooler_output", mask=False, dim=768)
    encoder = load_encoder(SIGLIP, tmp_path, tmp_path)
    assert encoder.encode_composed(pictures, TEXTS).shape == (3, 768)
    assert encoder.spec.dim == encoder_spec(SIGLIP).dim


def test_the_fingerprint_is_of_graphs_and_words(folders: tuple[Path, Path], tmp_path: Path) -> None:
    image, text = write_clip(tmp_path)
    first = load_encoder(CLIP, *folders).fingerprint
    assert load_encoder(CLIP, image, text).fingerprint == first
    config = text / "tokenizer_config.json"
    config.write_text(config.read_text().replace(str(LENGTH), str(LENGTH + 1)))
    assert load_encoder(CLIP, image, text, precision="exact").fingerprint == first, "kept"
    from cir.encoders import registry

    registry._loaded.cache_clear()
    assert load_encoder(CLIP, image, text).fingerprint != first


def test_what_cannot_be_loaded_is_one_sentence(folders: tuple[Path, Path], tmp_path: Path) -> None:
    image, text = write_clip(tmp_path)
    (image / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(EncoderError, match=r"fastembed cannot load Qdrant/clip-ViT-B-32-vision"):
        load_encoder(CLIP, image, text)
    write_images(image, "model.onnx", output="image_embeds", dim=64)
    with pytest.raises(EncoderError, match=r"gives 64 numbers.*512: they are of two models"):
        load_encoder(CLIP, image, text)
    with pytest.raises(EncoderError, match="There is no folder"):
        load_encoder(CLIP, tmp_path / "none", text)
    with pytest.raises(EncoderError, match="computes exactly, not in bf16"):
        load_encoder(CLIP, *folders, precision="bf16")


def test_its_repositories_are_fetched_and_an_index_knows_it(
    folders: tuple[Path, Path], command_line: CommandLine, tmp_path: Path
) -> None:
    images, texts = (
        {path.name: path.read_bytes() for path in folder.iterdir()} | {"README.md": b"words"}
        for folder in folders
    )
    names = [each.repository for each in encoder_spec(CLIP).folders]
    photos = tmp_path / "photos"
    for colour in ("red", "green", "blue"):
        save(striped(colour), photos / f"{colour}.png")
    with running_hub({names[0]: images, names[1]: texts}) as hub:
        environment = hub.environment(tmp_path / "hf")
        asked = ("index", photos, "--name", "shop", "--encoder", CLIP, "--download")
        done = command_line.run(*asked, **environment)
        assert done.returncode == 0, done.stderr
        assert "590 MB, licence MIT" in done.stderr
        assert "README.md" not in hub.fetched() and hub.fetched().count("model.onnx") == 2
        hub.asked.clear()
        search = ("search", "shop", "--image", photos / "red.png", "--text", "blue", "--json")
        found = command_line.run(*search, HF_HUB_OFFLINE="1", **environment)
        assert found.returncode == 0 and json.loads(found.stdout)["hits"], found.stderr
        assert hub.asked == []


def test_torch_is_not_imported(folders: tuple[Path, Path]) -> None:
    code = """
import sys
from cir import load_encoder
load_encoder(*sys.argv[1:]).encode_texts(["in red"])
assert not {"torch", "transformers", "pymilvus"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code, CLIP, *map(str, folders)], check=True)
