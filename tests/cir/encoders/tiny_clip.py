"""A CLIP of generated weights and a few tokens, in the layout of the published checkpoints."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from cir.encoders.on_torch.torchvision_compat import prepare_torchvision

prepare_torchvision()
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer  # noqa: E402

SIDE, PATCH, POSITIONS, DIM = 64, 16, 12, 48
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,!?-'"
START, END = "<|startoftext|>", "<|endoftext|>"


def write_tokenizer(folder: Path) -> int:
    """A tokenizer of single letters, as CLIP's is published; the size of its vocabulary."""
    tokens = [*LETTERS, *(letter + "</w>" for letter in LETTERS), START, END]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=[], unk_token=END)
    tokenizer.save_pretrained(str(folder))
    return len(tokens)


def make_clip(vocabulary: int, *, head: int = 64, activation: str = "quick_gelu") -> Any:
    """A small CLIPModel in eval mode; `head` is the width of its attention heads."""
    torch.manual_seed(1)
    sizes = {"num_hidden_layers": 2, "hidden_act": activation}
    vision = {"hidden_size": 128, "num_attention_heads": 128 // head, "intermediate_size": 96}
    text = {"hidden_size": 64, "num_attention_heads": 64 // head, "intermediate_size": 80}
    config = CLIPConfig(
        vision_config=sizes | vision | {"image_size": SIDE, "patch_size": PATCH},
        text_config=sizes
        | text
        | {
            "vocab_size": vocabulary,
            "max_position_embeddings": POSITIONS,
            "bos_token_id": vocabulary - 2,
            "eos_token_id": vocabulary - 1,
        },
        projection_dim=DIM,
    )
    model: Any = CLIPModel(config)
    model.eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 0:  # larger than what is drawn by default: then more differs
                parameter.add_(torch.randn_like(parameter) * 0.05)
    return model


def published(model: Any) -> dict[str, Tensor]:
    """The tensors as OpenAI's CLIP is published, with its tables of positions."""
    tensors = {name: each.contiguous().clone() for name, each in model.state_dict().items()}
    for tower in ("text_model", "vision_model"):
        count = len(tensors[f"{tower}.embeddings.position_embedding.weight"])
        tensors[f"{tower}.embeddings.position_ids"] = torch.arange(count)[None]
    return tensors


def write_checkpoint(folder: Path, tensors: Mapping[str, Tensor], config: Any = None) -> Path:
    """`model.safetensors` in the folder, with `config.json` where there is a configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(dict(tensors), folder / "model.safetensors", {"format": "pt"})
    if config is not None:
        told = config.to_dict()
        (folder / "config.json").write_text(json.dumps(told, default=str))
    return folder / "model.safetensors"
