"""Visualized BGE put together from stock parts: timm's tower and the BERT of transformers.

What our own modules are measured and checked against; it follows the reference code step by step,
with attention as that has it.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cir.encoders.on_torch.tensors import read_tensors
from cir.encoders.on_torch.torchvision_compat import prepare_torchvision
from cir.encoders.visualized_bge.checkpoint import VISUAL, infer_sizes
from cir.encoders.visualized_bge.tower import TowerSizes

_TOWER_NAMES = (
    ("attn.q_bias", "attn.q_proj.bias"),
    ("attn.v_bias", "attn.v_proj.bias"),
    ("attn.inner_attn_ln", "attn.norm"),
    ("mlp.ffn_ln", "mlp.norm"),
    ("mlp.w1", "mlp.fc1_g"),
    ("mlp.w2", "mlp.fc1_x"),
    ("mlp.w3", "mlp.fc2"),
)


class StockBge(nn.Module):
    """A base checkpoint of Visualized BGE on stock parts, float32."""

    bert: Any  # transformers' modules have no types worth the name

    def __init__(self, checkpoint: Path) -> None:
        super().__init__()
        prepare_torchvision()
        from transformers import BertConfig, BertModel

        held = {name: tensor.float() for name, tensor in read_tensors(checkpoint).items()}
        tower, text = infer_sizes(held, checkpoint)
        self.tower = _tower(tower, held)
        self.visual_proj = nn.Linear(tower.width, text.width)
        self.visual_proj.load_state_dict(_under("visual_proj.", held))
        sizes: dict[str, Any] = {
            "vocab_size": text.vocabulary,
            "hidden_size": text.width,
            "num_hidden_layers": text.depth,
            "num_attention_heads": text.heads,
            "intermediate_size": text.hidden,
            "max_position_embeddings": text.positions,
            "attn_implementation": "eager",
        }
        self.bert = BertModel(BertConfig(**sizes), add_pooling_layer=False)
        ours = {f"embeddings.{k}": v for k, v in _under("bge_embeddings.", held).items()}
        ours |= {f"encoder.{k}": v for k, v in _under("bge_encoder.", held).items()}
        self.bert.load_state_dict(
            {name: tensor for name, tensor in ours.items() if not name.endswith("position_ids")}
        )
        self.requires_grad_(False).eval()

    def composed(self, pixels: Tensor, ids: Tensor) -> Tensor:
        """Unit rows `(b, width)` of normalised pixels and token ids without padding."""
        patches = self.tower.forward_features(pixels)[:, 1:]
        embeddings = self.bert.embeddings
        words = embeddings.word_embeddings(ids)
        # The model adds a token type to every token; an image token has none.
        image = self.visual_proj(patches) - embeddings.token_type_embeddings.weight[0]
        sequence = torch.cat([words[:, :1], image, words[:, 1:]], dim=1)
        first = self.bert(inputs_embeds=sequence).last_hidden_state[:, 0]
        return nn.functional.normalize(first, dim=-1)


def _tower(sizes: TowerSizes, held: dict[str, Tensor]) -> Any:
    import timm

    tower: Any = timm.create_model(
        "eva02_base_patch16_clip_224",
        pretrained=False,
        num_classes=0,
        img_size=sizes.side,
        patch_size=sizes.patch,
        embed_dim=sizes.width,
        depth=sizes.depth,
        num_heads=sizes.heads,
    )
    tower.norm = nn.Identity()
    state = {}
    for name, tensor in _under(VISUAL, held).items():
        if "rope" not in name and not name.startswith(("norm.", "head.")):
            for theirs, timms in _TOWER_NAMES:
                name = name.replace(theirs, timms)  # noqa: PLW2901
            state[name] = tensor
    tower.load_state_dict(state)
    return tower


def _under(prefix: str, held: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in held.items() if k.startswith(prefix)}
