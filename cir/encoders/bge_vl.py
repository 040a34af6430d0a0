"""BGE-VL (Zhou et al. 2024, MegaPairs): CLIP whose composed query is the sum of image and text."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from cir.encoders.base import EncoderSpec
from cir.encoders.tensors import fill, fingerprint, read_tensors, require_tensors
from cir.encoders.tokens import TextTokens, cut, padded
from cir.encoders.torch_encoder import Setup, TorchEncoder
from cir.errors import EncoderError
from cir.torchvision_compat import prepare_torchvision

PREPROCESSING = b"bge-vl 1"  # a part of the fingerprint: new whenever embeddings change
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
        super().__init__(
            spec,
            self.network,
            tokens,
            setup,
            dim=config.projection_dim,
            side=config.vision_config.image_size,
            fingerprint=fingerprint(checkpoint, PREPROCESSING, tokens.digest),
        )

    @property
    def _instruction_limit(self) -> int:
        limit: int = self.network.config.text_config.max_position_embeddings
        return limit

    def _image_parts(self, pixels: Tensor) -> Tensor:
        weight = self.network.visual_projection.weight
        pooled = self.network.vision_model(pixel_values=pixels.to(weight.dtype)).pooler_output
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


def load_clip(checkpoint: Path) -> Any:
    """transformers' CLIPModel with a checkpoint's tensors, in float32 and eval mode.

    Its sizes are those of the tensors; what shapes do not tell (activation, marks) is read from
    `config.json` beside the checkpoint, where there is one, and is OpenAI's CLIP's otherwise.

    Raises:
        EncoderError: the file cannot be read, or tensors are missing, surplus or misshapen.
    """
    prepare_torchvision()
    from transformers import CLIPModel

    tensors = read_tensors(checkpoint)
    config = _config(tensors, checkpoint)
    with torch.device("meta"):
        wanted = CLIPModel(config).state_dict()
    expected = {name: tuple(each.shape) for name, each in wanted.items()}
    require_tensors(tensors, expected, checkpoint, lambda name: name.endswith("position_ids"))
    state = {name: tensors.pop(name).to(torch.float32) for name in expected}
    model: Any = fill(lambda: CLIPModel(config), state)
    for part in (model.vision_model, model.text_model):
        # Tables of positions are no part of a checkpoint.
        count = part.embeddings.position_embedding.num_embeddings
        part.embeddings.position_ids = torch.arange(count)[None]
    return model


def _config(tensors: Mapping[str, Tensor], checkpoint: Path) -> Any:
    from transformers import CLIPConfig

    vision, text = _sizes(tensors, checkpoint)
    told = _told(checkpoint.parent / "config.json")
    dim = int(tensors["visual_projection.weight"].shape[0])
    return CLIPConfig(
        vision_config=vision | _unseen(told.get("vision_config", {})),
        text_config=text | _unseen(told.get("text_config", {})),
        projection_dim=dim,
    )


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
    try:
        patches = tensors["vision_model.embeddings.patch_embedding.weight"]
        width, _, patch, _ = patches.shape
        positions = len(tensors["vision_model.embeddings.position_embedding.weight"])
        vision = _layers(tensors, "vision_model.encoder.layers.", width)
        vision |= {"patch_size": patch, "image_size": patch * math.isqrt(positions - 1)}
        words = tensors["text_model.embeddings.token_embedding.weight"]
        text = _layers(tensors, "text_model.encoder.layers.", words.shape[1])
        text |= {
            "vocab_size": len(words),
            "max_position_embeddings": len(
                tensors["text_model.embeddings.position_embedding.weight"]
            ),
        }
        # CLIP's marks are the last two entries of its vocabulary.
        text |= {"bos_token_id": len(words) - 2, "eos_token_id": len(words) - 1}
        tensors["visual_projection.weight"]
    except (KeyError, ValueError) as error:
        raise EncoderError(
            f"The checkpoint {checkpoint} is not one of BGE-VL's CLIP models: {error}."
        ) from error
    return vision, text


def _layers(tensors: Mapping[str, Tensor], prefix: str, width: int) -> dict[str, Any]:
    numbers = {
        int(name.removeprefix(prefix).split(".")[0]) for name in tensors if name.startswith(prefix)
    }
    return {
        "hidden_size": width,
        "intermediate_size": len(tensors[prefix + "0.mlp.fc1.weight"]),
        "num_hidden_layers": len(numbers),
        "num_attention_heads": max(1, width // HEAD_WIDTH),
        "hidden_act": "quick_gelu",
    }
