"""BGE-VL (Zhou et al. 2024, MegaPairs): CLIP whose composed query is the sum of image and text."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor
from torch.nn import functional

from cir.encoders.on_torch.encoder import Setup, TorchEncoder
from cir.encoders.on_torch.pixels import pixel_rows
from cir.encoders.on_torch.tensors import build, count_layers, fingerprint, read_tensors, shape_of
from cir.encoders.on_torch.tokens import TextTokens, cut, padded
from cir.encoders.on_torch.torchvision_compat import prepare_torchvision
from cir.encoders.protocol import EncoderSpec
from cir.errors import EncoderError

PREPROCESSING = "bge-vl 1"  # a part of the fingerprint: new whenever embeddings change
HEAD_WIDTH = 64  # of every published CLIP
PAD = 0


class BgeVlEncoder(TorchEncoder):
    """The CLIP variants; the sum of the features is taken before normalising."""

    network: Any  # transformers' CLIPModel

    def __init__(self, spec: EncoderSpec, weights: Path, tokenizer: Path, setup: Setup) -> None:
        """Load a checkpoint (a file, or a folder that holds model.safetensors) and a tokenizer.

        Raises:
            EncoderError: one is missing or damaged, or they do not belong to this encoder.
        """
        checkpoint = weights / "model.safetensors" if weights.is_dir() else weights
        tokens = TextTokens(tokenizer)
        self.network = load_clip(checkpoint)
        config = self.network.config
        tokens.require_vocabulary(config.text_config.vocab_size, checkpoint)
        super().__init__(
            spec,
            self.network,
            tokens,
            setup,
            dim=config.projection_dim,
            side=config.vision_config.image_size,
            fingerprint=fingerprint(checkpoint, _way(config), tokens.digest),
        )

    @property
    def _instruction_limit(self) -> int:
        limit: int = self.network.config.text_config.max_position_embeddings
        return limit

    def _cropped(self, images: Sequence[Image]) -> NDArray[np.uint8]:
        return pixel_rows(images, self._side, rounded=False)

    def _image_parts(self, pixels: Tensor) -> Tensor:
        pooled = self.network.vision_model(pixel_values=pixels).pooler_output
        features: Tensor = self.network.visual_projection(pooled)
        return features.float()

    def _image_rows(self, parts: Tensor) -> Tensor:
        return functional.normalize(parts, dim=-1)

    def _text_rows(self, ids: Sequence[list[int]]) -> Tensor:
        return functional.normalize(self._text_features(ids), dim=-1)

    def _composed_rows(self, parts: Tensor, ids: Sequence[list[int]]) -> Tensor:
        worded = torch.tensor([len(each) > 2 for each in ids], device=self.device)[:, None]
        total = torch.where(worded, parts + self._text_features(ids), parts)
        return functional.normalize(total, dim=-1)

    def _text_features(self, ids: Sequence[list[int]]) -> Tensor:
        rows, seen = padded([cut(each, self._instruction_limit) for each in ids], PAD, self.device)
        pooled = self.network.text_model(input_ids=rows, attention_mask=seen).pooler_output
        features: Tensor = self.network.text_projection(pooled)
        return features.float()


def _way(config: Any) -> bytes:
    """What beside tensors and tokenizer decides embeddings."""
    towers = (config.vision_config, config.text_config)
    told = [(each.num_attention_heads, each.hidden_act, each.layer_norm_eps) for each in towers]
    return f"{PREPROCESSING} {told}".encode()


def load_clip(checkpoint: Path) -> Any:
    """transformers' CLIPModel with a checkpoint's tensors, in float32 and eval mode.

    Its sizes are those of the tensors; what shapes do not tell (activation, marks) is read from
    `config.json` beside the checkpoint, where there is one, and is OpenAI's CLIP's otherwise.

    Raises:
        EncoderError: the file cannot be read, or tensors are missing, surplus or misshapen.
    """
    prepare_torchvision()
    from transformers import CLIPConfig, CLIPModel

    tensors = read_tensors(checkpoint)
    vision, text = _sizes(tensors, checkpoint)
    told = _told(checkpoint.parent / "config.json")

    def make() -> CLIPModel:
        config = CLIPConfig(
            vision_config=vision | _unseen(told.get("vision_config", {})),
            text_config=text | _unseen(told.get("text_config", {})),
            projection_dim=len(tensors["visual_projection.weight"]),
        )
        return CLIPModel(config)

    model: Any = build(make, tensors, checkpoint, lambda name: name.endswith("position_ids"))
    for part in (model.vision_model, model.text_model):
        # Tables of positions are no part of a checkpoint.
        count = part.embeddings.position_embedding.num_embeddings
        part.embeddings.position_ids = torch.arange(count)[None]
    return model


def _unseen(told: Mapping[str, Any]) -> dict[str, Any]:
    """What no shape tells."""
    names = ("hidden_act", "layer_norm_eps", "num_attention_heads", "bos_token_id", "eos_token_id")
    return {name: told[name] for name in names if name in told}


def _told(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise EncoderError(f"{path} cannot be read ({error}). Fetch it again.") from error
    return told if isinstance(told, dict) else {}


def _sizes(
    tensors: Mapping[str, Tensor], checkpoint: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments of the two towers' configurations, by the shapes of their tensors."""

    def shape(name: str, dims: int) -> tuple[int, ...]:
        return shape_of(tensors, name, dims, checkpoint)

    def layers(prefix: str, width: int) -> dict[str, Any]:
        return {
            "hidden_size": width,
            "intermediate_size": shape(prefix + "0.mlp.fc1.weight", 2)[0],
            "num_hidden_layers": count_layers(tensors, prefix),
            "num_attention_heads": max(1, width // HEAD_WIDTH),
            "hidden_act": "quick_gelu",
        }

    try:
        width, _, patch, _ = shape("vision_model.embeddings.patch_embedding.weight", 4)
        seen = shape("vision_model.embeddings.position_embedding.weight", 2)[0]
        vision = layers("vision_model.encoder.layers.", width)
        vision |= {"patch_size": patch, "image_size": patch * math.isqrt(seen - 1)}
        words, width = shape("text_model.embeddings.token_embedding.weight", 2)
        read = shape("text_model.embeddings.position_embedding.weight", 2)[0]
        text = layers("text_model.encoder.layers.", width)
        # CLIP's marks are the last two entries of its vocabulary.
        marks = {"bos_token_id": words - 2, "eos_token_id": words - 1}
        text |= marks | {"vocab_size": words, "max_position_embeddings": read}
        shape("visual_projection.weight", 2)
    except KeyError as error:
        raise EncoderError(
            f"The checkpoint {checkpoint} is not one of BGE-VL's CLIP models: it lacks the tensor "
            f"{error}."
        ) from error
    return vision, text
