"""The published checkpoints' tensors as those of our modules."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from einops import rearrange
from torch import Tensor

from cir.encoders.on_torch.tensors import (
    count_layers,
    fill,
    read_tensors,
    require_tensors,
    shape_of,
)
from cir.encoders.visualized_bge.model import VisualizedBge
from cir.encoders.visualized_bge.text import TextSizes
from cir.encoders.visualized_bge.tower import TowerSizes
from cir.errors import EncoderError

TEXT_HEAD_WIDTH = 64  # of every BERT and XLM-R backbone that BGE uses
VISUAL = "model_visual.visual."
_UNUSED = ("bge_pooler.", VISUAL + "norm.", VISUAL + "head.", "model_visual.logit_scale")
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Part:
    """One of our tensors: the checkpoint's tensors that it is made of, and how."""

    ours: str
    theirs: Mapping[str, Shape]
    make: Callable[..., Tensor] = lambda tensor: tensor


def load_network(path: Path) -> VisualizedBge:
    """The network of a checkpoint, in float32; its sizes are those of the tensors.

    The memory is that of the float32 weights, and of what is left of the file's as it is converted.

    Raises:
        EncoderError: the file cannot be read, or tensors are missing, surplus or misshapen.
    """
    tensors = read_tensors(path)
    tower, text = infer_sizes(tensors, path)
    require_tensors(tensors, expected_shapes(tower, text), path, is_unused)
    state = {}
    for part in _parts(tower, text):
        sources = [tensors.pop(name).to(torch.float32) for name in part.theirs]
        state[part.ours] = part.make(*sources)
    network = fill(lambda: VisualizedBge(tower, text), state)
    assert isinstance(network, VisualizedBge)
    return network


def expected_shapes(tower: TowerSizes, text: TextSizes) -> dict[str, Shape]:
    """Name and shape of every tensor of a checkpoint that is read."""
    return {name: shape for part in _parts(tower, text) for name, shape in part.theirs.items()}


def is_unused(name: str) -> bool:
    """Whether the published checkpoints hold a tensor that no embedding depends on."""
    return name.startswith(_UNUSED) or "rope.freqs_" in name or name.endswith("position_ids")


def infer_sizes(tensors: Mapping[str, Tensor], path: Path) -> tuple[TowerSizes, TextSizes]:
    """Sizes of tower and text model by the shapes of their tensors.

    Raises:
        EncoderError: one that tells a size is missing or has no such shape.
    """

    def shape(name: str, dims: int) -> Shape:
        return shape_of(tensors, name, dims, path)

    try:
        width, _, patch, _ = shape(VISUAL + "patch_embed.proj.weight", 4)
        positions = shape(VISUAL + "pos_embed", 3)[1]
        turned = shape(VISUAL + "rope.freqs_cos", 2)[1]
        tower = TowerSizes(
            width=width,
            depth=count_layers(tensors, VISUAL + "blocks."),
            heads=width // turned,
            hidden=shape(VISUAL + "blocks.0.mlp.w1.weight", 2)[0],
            patch=patch,
            grid=math.isqrt(positions - 1),
        )
        vocabulary, text_width = shape("bge_embeddings.word_embeddings.weight", 2)
        text = TextSizes(
            width=text_width,
            depth=count_layers(tensors, "bge_encoder.layer."),
            heads=text_width // TEXT_HEAD_WIDTH,
            hidden=shape("bge_encoder.layer.0.intermediate.dense.weight", 2)[0],
            vocabulary=vocabulary,
            positions=shape("bge_embeddings.position_embeddings.weight", 2)[0],
            types=shape("bge_embeddings.token_type_embeddings.weight", 2)[0],
        )
    except KeyError as error:
        raise EncoderError(
            f"The checkpoint {path} is not one of Visualized BGE: it lacks the tensor {error}."
        ) from error
    if tower.heads * turned != width or text.heads * TEXT_HEAD_WIDTH != text_width:
        raise EncoderError(
            f"The checkpoint {path} is not one of Visualized BGE: widths {width} and {text_width} "
            f"are no multiples of heads of {turned} and {TEXT_HEAD_WIDTH}."
        )
    return tower, text


def halves(tensor: Tensor, heads: int) -> Tensor:
    """Rows of query or key reordered: of each rotated pair, all firsts of a head, then all seconds.

    Scores are sums over a head's values: the same order on both sides changes none.
    """
    return rearrange(tensor, "(h pair two) ... -> (h two pair) ...", h=heads, two=2).contiguous()


def _parts(tower: TowerSizes, text: TextSizes) -> Iterator[Part]:
    yield from _tower_parts(tower)
    for at in range(tower.depth):
        yield from _block_parts(tower, f"tower.blocks.{at}.", f"{VISUAL}blocks.{at}.")
    yield from _linear("visual_proj", "visual_proj", text.width, tower.width)
    yield from _embedding_parts(text)
    for at in range(text.depth):
        yield from _layer_parts(text, f"text.layers.{at}.", f"bge_encoder.layer.{at}.")


def _tower_parts(tower: TowerSizes) -> Iterator[Part]:
    width, patch = tower.width, tower.patch
    yield Part(
        "tower.patches.weight", {VISUAL + "patch_embed.proj.weight": (width, 3, patch, patch)}
    )
    yield Part("tower.patches.bias", {VISUAL + "patch_embed.proj.bias": (width,)})
    yield Part("tower.cls", {VISUAL + "cls_token": (1, 1, width)})
    yield Part("tower.position", {VISUAL + "pos_embed": (1, tower.tokens + 1, width)})


def _block_parts(tower: TowerSizes, ours: str, theirs: str) -> Iterator[Part]:
    width, hidden, heads = tower.width, tower.hidden, tower.heads
    yield from _norm(ours + "attention_norm", theirs + "norm1", width)
    inner = ours + "attention.projections."
    square = (width, width)
    yield Part(
        inner + "query.weight",
        {theirs + "attn.q_proj.weight": square},
        lambda query: halves(query, heads),
    )
    yield Part(inner + "query.bias", {theirs + "attn.q_bias": (width,)}, lambda q: halves(q, heads))
    yield Part(
        inner + "key_value.weight",
        {theirs + "attn.k_proj.weight": square, theirs + "attn.v_proj.weight": square},
        lambda key, value: torch.cat([halves(key, heads), value]),
    )
    yield Part(  # a key has no bias
        inner + "key_value.bias",
        {theirs + "attn.v_bias": (width,)},
        lambda value: torch.cat([torch.zeros_like(value), value]),
    )
    yield from _norm(ours + "attention.norm", theirs + "attn.inner_attn_ln", width)
    yield from _linear(ours + "attention.proj", theirs + "attn.proj", width, width)
    yield from _norm(ours + "mlp_norm", theirs + "norm2", width)
    for kind, shape in (("weight", (hidden, width)), ("bias", (hidden,))):
        yield Part(
            f"{ours}mlp.gate_and_value.{kind}",
            {f"{theirs}mlp.w1.{kind}": shape, f"{theirs}mlp.w2.{kind}": shape},
            _joined,
        )
    yield from _norm(ours + "mlp.norm", theirs + "mlp.ffn_ln", hidden)
    yield from _linear(ours + "mlp.down", theirs + "mlp.w3", width, hidden)


def _embedding_parts(text: TextSizes) -> Iterator[Part]:
    ours, theirs, width = "text.embeddings.", "bge_embeddings.", text.width
    yield Part(ours + "words", {theirs + "word_embeddings.weight": (text.vocabulary, width)})
    yield Part(ours + "position", {theirs + "position_embeddings.weight": (text.positions, width)})
    yield Part(ours + "token_type", {theirs + "token_type_embeddings.weight": (text.types, width)})
    yield from _norm(ours + "norm", theirs + "LayerNorm", width)


def _layer_parts(text: TextSizes, ours: str, theirs: str) -> Iterator[Part]:
    width, hidden = text.width, text.hidden
    inner = theirs + "attention.self."
    yield from _linear(ours + "projections.query", inner + "query", width, width)
    for kind, shape in (("weight", (width, width)), ("bias", (width,))):
        yield Part(
            f"{ours}projections.key_value.{kind}",
            {f"{inner}key.{kind}": shape, f"{inner}value.{kind}": shape},
            _joined,
        )
    yield from _linear(ours + "out", theirs + "attention.output.dense", width, width)
    yield from _norm(ours + "attention_norm", theirs + "attention.output.LayerNorm", width)
    yield from _linear(ours + "up", theirs + "intermediate.dense", hidden, width)
    yield from _linear(ours + "down", theirs + "output.dense", width, hidden)
    yield from _norm(ours + "norm", theirs + "output.LayerNorm", width)


def _linear(ours: str, theirs: str, outputs: int, inputs: int) -> Iterator[Part]:
    yield Part(ours + ".weight", {theirs + ".weight": (outputs, inputs)})
    yield Part(ours + ".bias", {theirs + ".bias": (outputs,)})


def _norm(ours: str, theirs: str, width: int) -> Iterator[Part]:
    yield Part(ours + ".weight", {theirs + ".weight": (width,)})
    yield Part(ours + ".bias", {theirs + ".bias": (width,)})


def _joined(*tensors: Tensor) -> Tensor:
    return torch.cat(tensors)
