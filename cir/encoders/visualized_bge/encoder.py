"""Visualized BGE (Zhou et al. 2024): a BGE text model reads the image tokens of an EVA02 tower.

Composed after `visual_bge/modeling.py` of FlagOpen/FlagEmbedding (MIT licence).
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from einops import pack
from torch import Tensor, nn
from torch.nn import functional

from cir.encoders.on_torch.encoder import Setup, TorchEncoder
from cir.encoders.on_torch.tensors import build, count_layers, fingerprint, read_tensors, shape_of
from cir.encoders.on_torch.tokens import TextTokens, cut, padded
from cir.encoders.on_torch.torchvision_compat import prepare_torchvision
from cir.encoders.protocol import EncoderSpec
from cir.errors import EncoderError

PREPROCESSING = b"visualized-bge 1"  # a part of the fingerprint: new whenever embeddings change
TEXT_HEAD_WIDTH = 64  # of every BERT and XLM-R backbone that BGE uses
TOWER = "eva02_base_patch16_clip_224"  # the large one has other sizes, and nothing else
VISUAL = "model_visual.visual."
_UNUSED = ("bge_pooler.", VISUAL + "norm.", VISUAL + "head.", "model_visual.logit_scale")
_NAMES = (  # what a tensor's name holds in timm or transformers, and in a checkpoint
    ("tower.", VISUAL),
    ("text.", "bge_"),
    ("q_proj.bias", "q_bias"),
    ("v_proj.bias", "v_bias"),
    ("attn.norm", "attn.inner_attn_ln"),
    ("mlp.norm", "mlp.ffn_ln"),
    ("mlp.fc1_g", "mlp.w1"),
    ("mlp.fc1_x", "mlp.w2"),
    ("mlp.fc2", "mlp.w3"),
)


class VisualizedBgeEncoder(TorchEncoder):
    """Image tokens of an EVA02 tower beside the words of a BGE text model."""

    network: "VisualizedBge"

    def __init__(self, spec: EncoderSpec, weights: Path, tokenizer: Path, setup: Setup) -> None:
        """Load a checkpoint and a tokenizer folder.

        Raises:
            EncoderError: one is missing or damaged, or they do not belong to this encoder.
        """
        tokens = TextTokens(tokenizer)
        self.network = load_network(weights)
        config = self.network.text.config
        found = f"visualized-bge-{'m3' if config.model_type == 'xlm-roberta' else 'base'}"
        if found != spec.name:
            raise EncoderError(f"{weights} is a checkpoint of {found}, not of {spec.name}.")
        tokens.require_vocabulary(config.vocab_size, weights)
        self._empty = tokens.ids([""])[0]
        super().__init__(
            spec,
            self.network,
            tokens,
            setup,
            dim=config.hidden_size,
            side=self.network.tower.patch_embed.img_size[0],
            fingerprint=fingerprint(weights, PREPROCESSING, tokens.digest),
        )

    @property
    def _instruction_limit(self) -> int:
        return self.network.instruction_limit

    def _image_parts(self, pixels: Tensor) -> Tensor:
        return self.network.image_tokens(pixels)

    def _image_rows(self, parts: Tensor) -> Tensor:
        return self._composed_rows(parts, [self._empty] * len(parts))

    def _text_rows(self, ids: Sequence[list[int]]) -> Tensor:
        return self.network.texts(*self._padded(ids, self.network.text_limit))

    def _composed_rows(self, parts: Tensor, ids: Sequence[list[int]]) -> Tensor:
        return self.network.composed(parts, *self._padded(ids, self._instruction_limit))

    def _padded(self, ids: Sequence[list[int]], limit: int) -> tuple[Tensor, Tensor | None]:
        pad: int = self.network.text.config.pad_token_id
        return padded([cut(each, limit) for each in ids], pad, self.device)


class VisualizedBge(nn.Module):
    """Normalised pixels and token ids to unit rows, by timm's tower and a BERT of transformers."""

    tower: Any  # timm and transformers have no types worth the name
    text: Any

    def __init__(self, tower: dict[str, Any], text: dict[str, Any]) -> None:
        """Build it with the initial values of those libraries.

        `tower` are arguments of timm's model, `text` of the configuration of BERT, or of XLM-R,
        which has a single token type.
        """
        super().__init__()
        prepare_torchvision()  # timm and transformers import torchvision
        import timm
        from transformers import BertConfig, BertModel, XLMRobertaConfig, XLMRobertaModel

        # What is read is the output of the last block, before a norm.
        options = tower | {"num_classes": 0, "use_post_transformer_norm": False}
        self.tower = timm.create_model(TOWER, pretrained=False, **options)
        self.visual_proj = nn.Linear(tower["embed_dim"], text["hidden_size"])
        options = text | {"attn_implementation": "sdpa"}
        if text["type_vocab_size"] == 1:
            config = XLMRobertaConfig(**options, layer_norm_eps=1e-5)
            self.text = XLMRobertaModel(config, add_pooling_layer=False)
            self._text_start = 2
        else:
            self.text = BertModel(BertConfig(**options), add_pooling_layer=False)
            self._text_start = 0

    @property
    def text_limit(self) -> int:
        """Tokens of a text alone, its two marks included."""
        limit: int = self.text.config.max_position_embeddings - self._text_start
        return limit

    @property
    def instruction_limit(self) -> int:
        """Tokens of a text beside an image, its two marks included."""
        limit: int = self.text.config.max_position_embeddings - self.tower.patch_embed.num_patches
        return limit

    def image_tokens(self, pixels: Tensor) -> Tensor:
        """`(b, 3, side, side)` to `(b, tokens, width)` float32: what `composed` reads."""
        seen = self.tower.forward_features(pixels)[:, 1:]  # without the class token
        tokens: Tensor = self.visual_proj(seen)
        return tokens.float()

    def composed(self, image: Tensor, ids: Tensor, seen: Tensor | None = None) -> Tensor:
        """Unit rows `(b, width)` of image tokens with token ids `(b, n)`.

        The sequence is the first token, the image, the rest of the text. `seen` `(b, n)` is False
        for padding on the right; None: there is none.
        """
        embeddings = self.text.embeddings
        words = embeddings.word_embeddings(ids)
        # The text model adds a token type to every token; an image token has none.
        image = image - embeddings.token_type_embeddings.weight[0]
        sequence, _ = pack([words[:, :1], image, words[:, 1:]], "b * width")
        if seen is not None:
            shown = seen.new_ones(image.shape[:2])
            seen, _ = pack([seen[:, :1], shown, seen[:, 1:]], "b *")
        return self._unit_rows(sequence, seen, 0)

    def texts(self, ids: Tensor, seen: Tensor | None = None) -> Tensor:
        """Unit rows `(b, width)` of token ids `(b, n)` alone; `seen` as in `composed`."""
        return self._unit_rows(self.text.embeddings.word_embeddings(ids), seen, self._text_start)

    def _unit_rows(self, sequence: Tensor, seen: Tensor | None, start: int) -> Tensor:
        """Unit rows of embeddings `(b, n, width)` whose first has the position `start`."""
        positions = torch.arange(start, start + sequence.shape[1], device=sequence.device)[None]
        states = self.text(inputs_embeds=sequence, attention_mask=seen, position_ids=positions)
        return functional.normalize(states.last_hidden_state[:, 0].float(), dim=-1)


def load_network(path: Path) -> VisualizedBge:
    """The network of a checkpoint, in float32; its sizes are those of the tensors.

    Raises:
        EncoderError: the file cannot be read, or tensors are missing, surplus or misshapen.
    """
    tensors = read_tensors(path)
    sizes = _sizes(tensors, path)
    network = build(lambda: VisualizedBge(*sizes), tensors, path, _is_unused, published_name)
    # Tables that are no part of a checkpoint.
    network.tower.rope.to_empty(device="cpu").init_non_persistent_buffers()
    count = network.text.config.max_position_embeddings
    network.text.embeddings.position_ids = torch.arange(count)[None]
    network.text.embeddings.token_type_ids = torch.zeros(1, count, dtype=torch.long)
    return network


def published_name(name: str) -> str:
    """Name in a published checkpoint of a tensor of `VisualizedBge`."""
    for ours, theirs in _NAMES:
        name = name.replace(ours, theirs)
    return name


def _is_unused(name: str) -> bool:
    """Whether the published checkpoints hold a tensor that no embedding depends on."""
    return name.startswith(_UNUSED) or "rope.freqs_" in name or name.endswith("position_ids")


def _sizes(tensors: Mapping[str, Tensor], path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments of tower and text model, by the shapes of their tensors."""

    def shape(name: str, dims: int) -> tuple[int, ...]:
        return shape_of(tensors, name, dims, path)

    try:
        width, _, patch, _ = shape(VISUAL + "patch_embed.proj.weight", 4)
        head_width = shape(VISUAL + "rope.freqs_cos", 2)[1]
        tower = {
            "embed_dim": width,
            "depth": count_layers(tensors, VISUAL + "blocks."),
            "num_heads": width // head_width,
            "patch_size": patch,
            "img_size": patch * math.isqrt(shape(VISUAL + "pos_embed", 3)[1] - 1),
        }
        vocabulary, text_width = shape("bge_embeddings.word_embeddings.weight", 2)
        text = {
            "hidden_size": text_width,
            "num_hidden_layers": count_layers(tensors, "bge_encoder.layer."),
            "num_attention_heads": text_width // TEXT_HEAD_WIDTH,
            "intermediate_size": shape("bge_encoder.layer.0.intermediate.dense.weight", 2)[0],
            "vocab_size": vocabulary,
            "max_position_embeddings": shape("bge_embeddings.position_embeddings.weight", 2)[0],
            "type_vocab_size": shape("bge_embeddings.token_type_embeddings.weight", 2)[0],
        }
    except KeyError as error:
        raise EncoderError(
            f"The checkpoint {path} is not one of Visualized BGE: it lacks the tensor {error}."
        ) from error
    if width % head_width or text_width % TEXT_HEAD_WIDTH:
        raise EncoderError(
            f"The checkpoint {path} is not one of Visualized BGE: widths {width} and {text_width} "
            f"are no multiples of heads of {head_width} and {TEXT_HEAD_WIDTH}."
        )
    return tower, text
