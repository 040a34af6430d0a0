"""Visualized BGE against the outputs of the reference code, on small generated checkpoints."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from cir.encoders.on_torch.pixels import MEAN, STD, pixel_rows
from cir.encoders.on_torch.tensors import read_tensors
from cir.encoders.on_torch.tokens import padded
from cir.encoders.protocol import Embeddings, Encoder, files_of
from cir.encoders.registry import load_encoder
from cir.encoders.visualized_bge.encoder import load_network
from cir.errors import EncoderError
from tests.drawn import COLOURS, solid, striped
from tests.places import GOLDEN

BASE, TOKENIZER = GOLDEN / "tiny-base.pth", GOLDEN / "tiny-base-tokenizer"
CLOSE = 1e-5
SIDE = 224
LONG = " ".join(f"tok{200 + at % 90}" for at in range(600))


def golden(name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text())
    return told


def pictures(names: Sequence[str]) -> list[Image.Image]:
    return [Image.open(GOLDEN / name).convert("RGB") for name in names]


def normalised(images: Sequence[Image.Image]) -> Tensor:
    batch = torch.from_numpy(pixel_rows(images, SIDE)).permute(0, 3, 1, 2)
    return (batch / 255 - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def require_close(rows: Embeddings | Tensor, expected: Any) -> None:
    np.testing.assert_allclose(np.asarray(rows), np.asarray(expected), rtol=0, atol=CLOSE)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder("visualized-bge-base", weights=BASE, tokenizer=TOKENIZER, device="cpu")


@pytest.mark.parametrize("name", ["tiny-base", "tiny-m3"])
def test_network_gives_the_reference_codes_rows(name: str) -> None:
    told, network = golden(name), load_network(GOLDEN / f"{name}.pth")
    pixels = normalised(pictures(told["images"]))
    with torch.inference_mode():
        first = network.tower.forward_features(pixels)[:, 1, :8]
        np.testing.assert_allclose(first, told["tower_first_patch"], rtol=0, atol=3e-5)
        image = network.image_tokens(pixels)
        for at, ids in enumerate(told["input_ids"]):
            row = torch.tensor([ids])
            require_close(network.texts(row)[0], told["text"][at])
            require_close(network.composed(image[at : at + 1], row)[0], told["composed"][at])
            empty = torch.tensor([[ids[0], ids[-1]]])
            require_close(network.composed(image[at : at + 1], empty)[0], told["image"][at])


@pytest.mark.parametrize(("name", "pad"), [("tiny-base", 0), ("tiny-m3", 1)])
def test_rows_of_a_padded_batch_are_those_of_its_members(name: str, pad: int) -> None:
    told, network = golden(name), load_network(GOLDEN / f"{name}.pth")
    ids, seen = padded(told["input_ids"], pad, torch.device("cpu"))
    assert seen is not None and not seen.all()
    with torch.inference_mode():
        image = network.image_tokens(normalised(pictures(told["images"])))
        require_close(network.texts(ids, seen), told["text"])
        require_close(network.composed(image, ids, seen), told["composed"])


def test_encoder_gives_the_reference_codes_rows(encoder: Encoder) -> None:
    told = golden("tiny-base")
    images = pictures(told["images"])
    require_close(encoder.encode_images(images), told["image"])
    require_close(encoder.encode_texts(told["texts"]), told["text"])
    require_close(encoder.encode_composed(images, told["texts"]), told["composed"])


def test_rows_do_not_depend_on_batch_padding_or_order(encoder: Encoder) -> None:
    images = [make(colour) for make in (solid, striped) for colour in COLOURS][:11]
    texts = [" ".join(["tok210"] * (7 * at % 12)) for at in range(11)]
    together = encoder.encode_composed(images, texts)
    for at, (image, text) in enumerate(zip(images, texts, strict=True)):
        require_close(encoder.encode_composed([image], [text])[0], together[at])
    require_close(encoder.encode_composed(images[::-1], texts[::-1]), together[::-1])
    alone = encoder.encode_texts(texts)
    require_close(encoder.encode_texts(texts[::-1]), alone[::-1])
    require_close(encoder.encode_texts(texts[3:4]), alone[3:4])


def test_an_empty_instruction_is_the_image_alone(encoder: Encoder) -> None:
    images = pictures(golden("tiny-base")["images"])
    for text in ("", "   \n", "\t"):
        require_close(encoder.encode_composed(images, [text] * 3), encoder.encode_images(images))


def test_a_long_text_is_cut_and_the_caller_can_know(encoder: Encoder) -> None:
    image = pictures(["image0.png"])
    limit = 512 - 196 - 2  # words beside an image: positions less image tokens and the two marks
    words = LONG.split()
    fits, over = " ".join(words[:limit]), " ".join(words[: limit + 1])
    assert encoder.truncates([fits, over, ""]) == [False, True, False]
    require_close(encoder.encode_composed(image, [over]), encoder.encode_composed(image, [fits]))
    require_close(encoder.encode_texts([LONG]), encoder.encode_texts([" ".join(words[:510])]))


def test_nothing_gives_no_rows(encoder: Encoder) -> None:
    for rows in (encoder.encode_images([]), encoder.encode_texts([])):
        assert rows.shape == (0, 128) and rows.dtype == np.float32


def test_unpaired_images_and_texts_are_refused(encoder: Encoder) -> None:
    with pytest.raises(ValueError, match="1 images and 2 texts"):
        encoder.encode_composed([solid("red")], ["tok200", "tok201"])


def test_the_encoder_says_what_it_is(encoder: Encoder) -> None:
    assert (encoder.spec.name, encoder.spec.dim) == ("visualized-bge-base", 128)
    assert encoder.precision == "exact"
    assert files_of(encoder) == (str(BASE), str(TOKENIZER))


def test_bfloat16_stays_near(encoder: Encoder) -> None:
    fast = load_encoder("visualized-bge-base", BASE, TOKENIZER, device="cpu", precision="bf16")
    told = golden("tiny-base")
    images = pictures(told["images"])
    rows = fast.encode_composed(images, told["texts"])
    cosines = (rows * encoder.encode_composed(images, told["texts"])).sum(axis=1)
    assert fast.precision == "bf16" and fast.fingerprint == encoder.fingerprint
    assert cosines.min() >= 0.9999 and cosines.max() < 1 - 1e-9


def test_indexes_of_earlier_versions_stay_valid(encoder: Encoder) -> None:
    assert encoder.fingerprint == "e697dbf4326a5e7351a0ef9b61a2a26a"


def test_other_weights_have_another_fingerprint(encoder: Encoder, tmp_path: Path) -> None:
    held = read_tensors(BASE)
    held["visual_proj.bias"] += 1
    torch.save(held, tmp_path / "other.pth")
    other = load_encoder("visualized-bge-base", tmp_path / "other.pth", TOKENIZER)
    assert other.fingerprint != encoder.fingerprint


def test_a_checkpoint_of_the_other_family_is_named() -> None:
    with pytest.raises(EncoderError, match="is a checkpoint of visualized-bge-m3, not of visual"):
        load_encoder("visualized-bge-base", GOLDEN / "tiny-m3.pth", TOKENIZER)


def test_wrong_tensors_are_listed(tmp_path: Path) -> None:
    held = read_tensors(BASE)
    del held["bge_encoder.layer.1.output.dense.bias"]
    held["bge_encoder.layer.0.output.dense.bias"] = torch.zeros(3)
    held["somebody.elses"] = torch.zeros(1)
    path = tmp_path / "wrong.pth"
    torch.save(held, path)
    with pytest.raises(EncoderError) as raised:
        load_network(path)
    for part in (
        "1 missing (bge_encoder.layer.1.output.dense.bias)",
        "1 surplus (somebody.elses)",
        "bge_encoder.layer.0.output.dense.bias is (3,), not (128,)",
    ):
        assert part in str(raised.value)


@pytest.mark.parametrize(
    ("prefix", "shape", "words"),
    [
        (
            "model_visual.visual.blocks.",
            None,
            r"lacks the tensor 'model_visual\.visual\.blocks\.0'",
        ),
        ("model_visual.visual.patch_embed.proj.weight", (2, 2), "has a misshapen"),
        ("model_visual.visual.rope.freqs_cos", (196, 60), "no multiples of heads of 60"),
        ("bge_encoder.", None, "lacks the tensor 'bge_encoder"),
        ("bge_embeddings.word_embeddings.weight", (3,), "has a misshapen"),
    ],
)
def test_sizes_that_cannot_be_told_are_a_sentence(
    tmp_path: Path, prefix: str, shape: tuple[int, ...] | None, words: str
) -> None:
    held = {name: each for name, each in read_tensors(BASE).items() if not name.startswith(prefix)}
    if shape is not None:
        held[prefix] = torch.zeros(shape)
    path = tmp_path / "wrong.pth"
    torch.save(held, path)
    with pytest.raises(EncoderError, match=words):
        load_network(path)


def test_another_models_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"weight": torch.zeros(2, 2)}, path)
    with pytest.raises(EncoderError, match="not one of Visualized BGE: it lacks"):
        load_network(path)
