"""Visualized BGE against the reference package itself, where somebody has installed it.

`visual_bge` is in FlagEmbedding's repository (research/visual_bge), not on PyPI; elsewhere its
golden outputs stand in for it.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cir.encoders.registry import load_encoder
from tests.places import GOLDEN

NAME = "visualized-bge-base"
TEXTS = ("tok200 tok201", "tok300", " ".join(["tok250"] * 40))


@pytest.fixture(scope="module")
def reference_class() -> Any:
    try:
        from visual_bge.modeling import Visualized_BGE
    except ImportError as error:
        pytest.skip(f"needs visual_bge of FlagEmbedding's repository, not on PyPI ({error})")
    return Visualized_BGE


def generated(reference_class: Any, folder: Path) -> Any:
    """The reference with a small text model and the weights of its own start, written down."""

    class Generated(reference_class):  # type: ignore[misc]
        def load_model(self, model_weight: str) -> None:
            torch.save(self.state_dict(), model_weight)

    torch.manual_seed(3)
    model = Generated(
        model_name_bge="bge-base-en-v1.5",  # chooses the tower, of real size
        model_weight=str(folder / "generated.pth"),
        from_pretrained=str(folder / "tokenizer"),
    )
    return model.to("cpu").eval()  # in train mode it drops patches at random


def test_rows_are_those_of_the_reference_package(reference_class: Any, tmp_path: Path) -> None:
    tokenizer = tmp_path / "tokenizer"
    tokenizer.mkdir()
    for path in (GOLDEN / "tiny-base-tokenizer").iterdir():
        (tokenizer / path.name).write_bytes(path.read_bytes())
    told = json.loads((tokenizer / "config.json").read_text())
    told |= {"hidden_size": 768, "num_attention_heads": 12}
    (tokenizer / "config.json").write_text(json.dumps(told))
    model = generated(reference_class, tmp_path)
    model.device = torch.device("cpu")
    encoder = load_encoder(NAME, tmp_path / "generated.pth", tokenizer, device="cpu")
    for number, text in enumerate(TEXTS):
        path = GOLDEN / f"image{number}.png"
        image = Image.open(path).convert("RGB")
        with torch.inference_mode():
            for ours, theirs in (
                (encoder.encode_images([image]), model.encode(image=str(path))),
                (encoder.encode_texts([text]), model.encode(text=text)),
                (encoder.encode_composed([image], [text]), model.encode(str(path), text)),
            ):
                np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=1e-5)
