"""BGE-VL against stock CLIP, on generated weights."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from cir.encoders import registry
from cir.encoders.bge_vl.encoder import load_clip
from cir.encoders.protocol import Embeddings, Encoder, files_of
from cir.encoders.registry import load_encoder
from cir.errors import EncoderError
from tests.cir.encoders.tiny_clip import (
    DIM,
    LETTERS,
    PATCH,
    POSITIONS,
    SIDE,
    make_clip,
    published,
    write_checkpoint,
    write_tokenizer,
)
from tests.places import GOLDEN

CLOSE = 1e-5
TEXTS = ["in red", "a longer one", "", "b", "with stripes, please"]
SIZES = ((48, 36), (36, 50), (64, 64), (67, 200), (301, 130))  # odd margins, too


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    assert write_tokenizer(folder) == len(LETTERS) * 2 + 2
    return folder


@pytest.fixture(scope="module")
def clip() -> Any:
    return make_clip(len(LETTERS) * 2 + 2)


@pytest.fixture(scope="module")
def weights(clip: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("clip"), published(clip))


@pytest.fixture(scope="module")
def encoder(weights: Path, tokenizer: Path) -> Encoder:
    return load_encoder("bge-vl-base", weights, tokenizer, device="cpu")


@pytest.fixture(scope="module")
def images() -> list[Image.Image]:
    rng = np.random.default_rng(2)
    noise = [rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for w, h in SIZES]
    return [Image.fromarray(each) for each in noise]


@pytest.fixture(scope="module")
def stock(clip: Any, tokenizer: Path, images: list[Image.Image]) -> tuple[Any, Any]:
    """Features of images and of texts, as CLIPProcessor and CLIPModel make them."""
    from transformers import CLIPProcessor, CLIPTokenizer
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    pixels = CLIPImageProcessorPil(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
    )
    make: Any = CLIPTokenizer.from_pretrained(str(tokenizer))
    make_processor: Any = CLIPProcessor
    processor = make_processor(image_processor=pixels, tokenizer=make)
    given = processor(
        text=TEXTS,
        images=images,
        padding=True,
        truncation=True,
        max_length=POSITIONS,
        return_tensors="pt",
    )
    with torch.inference_mode():
        seen = clip.get_image_features(pixel_values=given["pixel_values"]).pooler_output
        read = clip.get_text_features(
            input_ids=given["input_ids"], attention_mask=given["attention_mask"]
        ).pooler_output
    return seen, read


def require_close(rows: Embeddings, features: Any) -> None:
    expected = functional.normalize(features, dim=-1)
    np.testing.assert_allclose(rows, expected, rtol=0, atol=CLOSE)


def test_rows_are_those_of_stock_clip(
    encoder: Encoder, images: list[Image.Image], stock: tuple[Any, Any]
) -> None:
    seen, read = stock
    require_close(encoder.encode_images(images), seen)
    require_close(encoder.encode_texts(TEXTS), read)
    worded = torch.tensor([bool(text) for text in TEXTS])[:, None]
    require_close(encoder.encode_composed(images, TEXTS), torch.where(worded, seen + read, seen))
    backwards = encoder.encode_composed(images[::-1], TEXTS[::-1])[::-1]
    np.testing.assert_allclose(
        backwards, encoder.encode_composed(images, TEXTS), rtol=0, atol=CLOSE
    )


def test_an_empty_instruction_is_the_image_alone(
    encoder: Encoder, images: list[Image.Image]
) -> None:
    for text in ("", "  \n"):
        rows = encoder.encode_composed(images, [text] * len(images))
        np.testing.assert_allclose(rows, encoder.encode_images(images), rtol=0, atol=CLOSE)


def test_a_long_text_is_cut_at_the_positions(encoder: Encoder) -> None:
    letters = list("abcdefghijkl")
    fits, over = " ".join(letters[: POSITIONS - 2]), " ".join(letters[: POSITIONS - 1])
    assert encoder.truncates([fits, over, ""]) == [False, True, False]
    rows = encoder.encode_texts([over, fits])
    np.testing.assert_allclose(rows[0], rows[1], rtol=0, atol=CLOSE)


def test_the_layout_is_that_of_the_published_checkpoints(clip: Any) -> None:
    names = set(published(clip))
    for name in (
        "logit_scale",
        "text_projection.weight",
        "visual_projection.weight",
        "text_model.embeddings.position_ids",
        "text_model.embeddings.token_embedding.weight",
        "text_model.encoder.layers.0.self_attn.k_proj.weight",
        "text_model.encoder.layers.1.mlp.fc2.bias",
        "text_model.final_layer_norm.weight",
        "vision_model.embeddings.class_embedding",
        "vision_model.embeddings.patch_embedding.weight",
        "vision_model.embeddings.position_ids",
        "vision_model.encoder.layers.1.layer_norm2.bias",
        "vision_model.pre_layrnorm.weight",
        "vision_model.post_layernorm.bias",
    ):
        assert name in names


def test_the_encoder_says_what_it_is(encoder: Encoder, weights: Path, tokenizer: Path) -> None:
    assert (encoder.spec.name, encoder.spec.dim, encoder.precision) == ("bge-vl-base", DIM, "exact")
    assert files_of(encoder) == (str(weights), str(tokenizer))


def test_half_precision_files_compute_in_float32(
    clip: Any, tokenizer: Path, images: list[Image.Image], encoder: Encoder, tmp_path: Path
) -> None:
    halves = {
        name: each.half() if each.is_floating_point() else each
        for name, each in published(clip).items()
    }
    path = write_checkpoint(tmp_path, halves)
    assert {each.dtype for each in load_clip(path).parameters()} == {torch.float32}
    rows = load_encoder("bge-vl-base", tmp_path, tokenizer, device="cpu").encode_images(images)
    assert (rows * encoder.encode_images(images)).sum(axis=1).min() > 0.9999


def test_bfloat16_stays_near(
    weights: Path, tokenizer: Path, images: list[Image.Image], encoder: Encoder
) -> None:
    fast = load_encoder("bge-vl-base", weights, tokenizer, device="cpu", precision="bf16")
    cosines = (fast.encode_composed(images, TEXTS) * encoder.encode_composed(images, TEXTS)).sum(
        axis=1
    )
    assert (fast.precision, fast.fingerprint) == ("bf16", encoder.fingerprint)
    assert cosines.min() >= 0.9999 and cosines.max() < 1 - 1e-9


@pytest.mark.parametrize("told", [True, False])
def test_heads_come_from_config_json_where_there_is_one(
    told: bool, tokenizer: Path, tmp_path: Path
) -> None:
    model = make_clip(len(LETTERS) * 2 + 2, head=32, activation="gelu")
    path = write_checkpoint(tmp_path, published(model), model.config if told else None)
    config = load_clip(path).config
    heads = (config.vision_config.num_attention_heads, config.text_config.num_attention_heads)
    assert heads == ((4, 2) if told else (2, 1))
    assert config.vision_config.hidden_act == ("gelu" if told else "quick_gelu")
    assert (config.vision_config.image_size, config.vision_config.patch_size) == (SIDE, PATCH)
    if told:
        image = Image.new("RGB", (SIDE, SIDE), "red")
        rows = load_encoder("bge-vl-base", path, tokenizer, device="cpu").encode_images([image])
        pixels = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None] / 255
        mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
        std = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]
        with torch.inference_mode():
            features = model.get_image_features(pixel_values=(pixels - mean) / std).pooler_output
        require_close(rows, features)


def test_what_config_json_says_is_a_part_of_the_fingerprint(
    clip: Any, encoder: Encoder, tokenizer: Path, tmp_path: Path
) -> None:
    path = write_checkpoint(tmp_path, published(clip), clip.config)
    assert load_encoder("bge-vl-base", path, tokenizer).fingerprint == encoder.fingerprint
    told = json.loads((tmp_path / "config.json").read_text())
    told["vision_config"]["hidden_act"] = "gelu"
    (tmp_path / "config.json").write_text(json.dumps(told))
    registry._loaded.cache_clear()  # as in another process
    assert load_encoder("bge-vl-base", path, tokenizer).fingerprint != encoder.fingerprint


def test_the_mark_of_older_config_files_changes_nothing(
    clip: Any, encoder: Encoder, tokenizer: Path, tmp_path: Path
) -> None:
    """OpenAI's config.json calls 2 the end of a text, which it is not."""
    path = write_checkpoint(tmp_path, published(clip), clip.config)
    told = json.loads((tmp_path / "config.json").read_text())
    told["text_config"] |= {"bos_token_id": 0, "eos_token_id": 2}
    (tmp_path / "config.json").write_text(json.dumps(told))
    rows = load_encoder("bge-vl-base", path, tokenizer).encode_texts(TEXTS)
    np.testing.assert_allclose(rows, encoder.encode_texts(TEXTS), rtol=0, atol=CLOSE)


def test_a_damaged_config_json_is_a_sentence(clip: Any, tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, published(clip))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(EncoderError, match=r"config\.json cannot be read"):
        load_clip(path)


def test_wrong_tensors_are_listed(clip: Any, tmp_path: Path) -> None:
    tensors = published(clip)
    del tensors["text_model.final_layer_norm.bias"]
    tensors["vision_model.post_layernorm.bias"] = torch.zeros(3)
    tensors["somebody.elses"] = torch.zeros(1)
    with pytest.raises(EncoderError) as raised:
        load_clip(write_checkpoint(tmp_path, tensors))
    for part in (
        "1 missing (text_model.final_layer_norm.bias)",
        "1 surplus (somebody.elses)",
        "vision_model.post_layernorm.bias is (3,), not (128,)",
    ):
        assert part in str(raised.value)


@pytest.mark.parametrize(
    "change",
    [
        {"visual_projection.weight": None},
        {"vision_model.embeddings.patch_embedding.weight": torch.zeros(2, 2)},
        {"text_model.embeddings.token_embedding.weight": torch.zeros(3)},
        {"vision_model.embeddings.position_embedding.weight": torch.zeros(())},
        {"vision_model.encoder.layers.0.mlp.fc1.weight": torch.zeros(0, 1)},
    ],
)
def test_another_models_checkpoint_is_refused(
    clip: Any, tmp_path: Path, change: dict[str, Any]
) -> None:
    tensors = {name: each for name, each in (published(clip) | change).items() if each is not None}
    with pytest.raises(EncoderError, match=r"is not one of BGE-VL|has a misshapen"):
        load_clip(write_checkpoint(tmp_path, tensors))


@pytest.mark.parametrize("wrong", [{"num_attention_heads": 7}, {"hidden_act": "unheard"}])
def test_a_config_json_of_another_model_is_refused(
    clip: Any, tmp_path: Path, wrong: dict[str, Any]
) -> None:
    path = write_checkpoint(tmp_path, published(clip))
    (tmp_path / "config.json").write_text(json.dumps({"vision_config": wrong}))
    with pytest.raises(EncoderError, match="do not fit together"):
        load_clip(path)


def test_a_tokenizer_of_another_model_is_refused(weights: Path) -> None:
    golden = GOLDEN / "tiny-base-tokenizer"
    with pytest.raises(EncoderError, match=r"512 tokens.*only 86.*do not belong together"):
        load_encoder("bge-vl-base", weights, golden)
