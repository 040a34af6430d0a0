"""The fusion transformer: image tokens and text tokens in one sequence, as in Visualized BGE."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from cir.training.palette import BINS
from cir.training.tower import CELLS, ROWS, Tower

PAD = 0  # token id; the tokenizer is made so
BIN_STD_FLOOR = 0.02  # added to a palette bin's: colours hardly seen shall not count for much


@dataclass(frozen=True)
class Shape:
    """Sizes of the fusion transformer; `dim` is the length of an embedding.

    Width, heads, hidden are those of MiniLM, whose first `depth` layers it begins with.
    `channel_dropout` is the share of the tower's channels that training hides of each picture;
    `dropout` that of the values of all tokens.
    """

    vocabulary: int
    channels: int
    width: int = 384
    depth: int = 3
    heads: int = 12
    hidden: int = 1536
    dim: int = 256
    text_length: int = 48
    dropout: float = 0.1
    channel_dropout: float = 0.15


class Block(nn.Module):
    """Post-norm transformer block, as in BERT."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.qkv = nn.Linear(shape.width, 3 * shape.width)
        self.out = nn.Linear(shape.width, shape.width)
        self.norm_attention = nn.LayerNorm(shape.width, eps=1e-12)
        self.mlp = nn.Sequential(
            nn.Linear(shape.width, shape.hidden), nn.GELU(), nn.Linear(shape.hidden, shape.width)
        )
        self.norm_mlp = nn.LayerNorm(shape.width, eps=1e-12)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        """`x` is `(n, s, width)`; `hidden` `(n, 1, 1, s)` is -1e4 on padding, else 0."""
        split = self.qkv(x).unflatten(-1, (3, self.heads, -1))
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)
        # Written out: on a CPU its gradient takes half the time of the library's function.
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        mixed = (scores + hidden).softmax(dim=-1).to(value.dtype) @ value
        x = self.norm_attention(x + self.out(mixed.transpose(1, 2).flatten(2)))
        return self.norm_mlp(x + self.mlp(x))


class ImageTokens(nn.Module):
    """The tower's rows `(n, 26, channels)` to image tokens `(n, 26, width)`."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.zeros(2, shape.channels))
        self.register_buffer("scale", torch.ones(2, shape.channels))
        self.project = nn.Linear(shape.channels, shape.width)
        self.palette = nn.Linear(BINS, shape.width)
        self.position = nn.Parameter(torch.randn(ROWS, shape.width) * 0.02)
        self.norm = nn.LayerNorm(shape.width)
        self.drop = nn.Dropout1d(shape.channel_dropout)

    def standardise(self, features: Tensor) -> None:
        """Take mean and standard deviation of the training photos' `(n, 26, channels)`."""
        for part, values in enumerate((features[:, :CELLS].flatten(0, 1), features[:, CELLS])):
            self.mean[part] = values.mean(dim=0)
            self.scale[part] = 1 / (values.std(dim=0) + (BIN_STD_FLOOR if part else 1e-3))

    def forward(self, features: Tensor, cells: Tensor | None = None) -> Tensor:
        """`cells` `(t,)` are the rows that `features` `(n, t, channels)` are; None: all.

        The last one is always the palette.
        """
        position = self.position if cells is None else self.position[cells]
        grid = (features[:, :-1] - self.mean[0]) * self.scale[0]
        colours = ((features[:, -1:] - self.mean[1]) * self.scale[1])[..., :BINS]
        if self.training:
            grid = self.drop(grid.transpose(1, 2)).transpose(1, 2)
            colours = self.drop(colours.transpose(1, 2)).transpose(1, 2)
        tokens = torch.cat([self.project(grid), self.palette(colours)], dim=1)
        return self.norm(tokens + position)


class Words(nn.Module):
    """Word embeddings of the text model, frozen, a byte a value: `(n, l)` ids to `(n, l, width)`.

    Training reads the very bytes that are shipped.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.table: Tensor
        self.scale: Tensor
        size = (shape.vocabulary, shape.width)
        self.register_buffer("table", torch.zeros(size, dtype=torch.int8))
        self.register_buffer("scale", torch.ones(shape.vocabulary, 1))

    def fill(self, weights: Tensor) -> None:
        """Take the embeddings, each row scaled to -127..127."""
        self.scale.copy_(weights.abs().amax(dim=1, keepdim=True) / 127)
        self.table.copy_((weights / self.scale).round().to(torch.int8))

    def forward(self, ids: Tensor) -> Tensor:
        return self.table[ids].to(torch.float32) * self.scale[ids]


class Fusion(nn.Module):
    """Image tokens `(n, t, width)` and token ids `(n, l)` to unit rows `(n, dim)`.

    The sequence is [CLS], image tokens, text, [SEP]; the embedding is read at [CLS] and at the
    mean of the tokens, to which the mean of the image tokens as they came is added. `t` 0 is a
    query without an image; ids that are only [SEP] are one without a text.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.words = Words(shape)
        self.position = nn.Parameter(torch.randn(shape.text_length, shape.width) * 0.02)
        self.norm_words = nn.LayerNorm(shape.width, eps=1e-12)
        self.start = nn.Parameter(torch.randn(1, 1, shape.width) * 0.02)
        self.drop = nn.Dropout(shape.dropout)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.depth))
        self.out = nn.Linear(2 * shape.width, shape.dim, bias=False)
        self.short = nn.Linear(shape.width, shape.dim, bias=False)

    def forward(self, image: Tensor, ids: Tensor, image_seen: Tensor | None = None) -> Tensor:
        """`image_seen` `(n,)` False hides the row's image tokens, as if there were none."""
        words = self.norm_words(self.words(ids) + self.position[: ids.shape[1]])
        start = self.start.expand(ids.shape[0], -1, -1)
        x = self.drop(torch.cat([start, image, words], dim=1))
        ones = torch.ones_like(image[:, :, 0], dtype=torch.bool)
        if image_seen is not None:
            ones = ones & image_seen[:, None]
        first = torch.ones_like(ids[:, :1], dtype=torch.bool)
        seen = torch.cat([first, ones, ids != PAD], dim=1)
        hidden = (~seen).to(torch.float32)[:, None, None, :] * -1e4
        for block in self.blocks:
            x = block(x, hidden)
        read = torch.cat([x[:, 0], _mean(x, seen)], dim=-1)
        row = self.out(read) + self.short(_mean(image, ones))
        return functional.normalize(row.to(torch.float32), dim=-1)

    def begin_with(self, weights: Mapping[str, Tensor]) -> None:
        """Take embeddings and first layers of a BERT model of the same width."""
        kind = weights["embeddings.token_type_embeddings.weight"][0]
        position = weights["embeddings.position_embeddings.weight"]
        state = {
            "position": position[1 : len(self.position) + 1] + kind,
            "start": (weights["embeddings.word_embeddings.weight"][2] + position[0] + kind)[
                None, None
            ],
        }
        state |= _linear("norm_words", weights, "embeddings.LayerNorm")
        for number in range(len(self.blocks)):
            state |= _layer(weights, f"encoder.layer.{number}", f"blocks.{number}")
        missing, unexpected = self.load_state_dict(state, strict=False)
        assert not unexpected and set(missing) == {
            "words.table",
            "words.scale",
            "out.weight",
            "short.weight",
        }
        self.words.fill(weights["embeddings.word_embeddings.weight"])
        with torch.no_grad():
            self.start.copy_(self.norm_words(self.start))


class Compact(nn.Module):
    """Image tokens and fusion, as they are trained on cached tower features."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.image_tokens = ImageTokens(shape)
        self.fusion = Fusion(shape)
        self.log_scale = nn.Parameter(torch.tensor(3.0))

    def forward(
        self,
        features: Tensor,
        ids: Tensor,
        image_seen: Tensor | None = None,
        cells: Tensor | None = None,
    ) -> Tensor:
        return self.fusion(self.image_tokens(features, cells), ids, image_seen)

    def parameter_groups(self, rate: float, pretrained_rate: float) -> list[dict[str, object]]:
        """For an optimiser: what comes from the text model changes more slowly than what is new."""
        held = [*self.fusion.blocks.parameters(), self.fusion.position]
        held += self.fusion.norm_words.parameters()
        known = {id(each) for each in held}
        new = [each for each in self.parameters() if id(each) not in known]
        return [{"params": new, "lr": rate}, {"params": held, "lr": pretrained_rate}]


class ImageGraph(nn.Module):
    """What the first ONNX graph holds: bytes `(n, 160, 160, 3)` to image tokens."""

    def __init__(self, tower: Tower, image_tokens: ImageTokens) -> None:
        super().__init__()
        self.tower = tower
        self.image_tokens = image_tokens

    def forward(self, images: Tensor) -> Tensor:
        return self.image_tokens(self.tower(images))


def _mean(x: Tensor, seen: Tensor) -> Tensor:
    """`(n, width)`: the mean of those tokens of `(n, s, width)` that are seen, 0 for none."""
    shares = seen.to(x.dtype)[..., None]
    return (x * shares).sum(dim=1) / shares.sum(dim=1).clamp(min=1.0)


def contrastive_loss(queries: Tensor, targets: Tensor, positive: Tensor, scale: Tensor) -> Tensor:
    """Supervised contrastive loss (Khosla et al. 2020, L_out), queries to targets and back.

    `queries`, `targets` are `(n, dim)` unit rows; `positive` `(n, n)` has at least one True in
    each row and column.
    """
    logits = queries @ targets.T * scale
    return (_one_way(logits, positive) + _one_way(logits.T, positive.T)) / 2


def _one_way(logits: Tensor, positive: Tensor) -> Tensor:
    shares = positive / positive.sum(dim=1, keepdim=True)
    return -(logits.log_softmax(dim=1) * shares).sum(dim=1).mean()


def _linear(ours: str, weights: Mapping[str, Tensor], *theirs: str) -> dict[str, Tensor]:
    """Weight and bias of one layer, or of several put together."""
    return {
        f"{ours}.{part}": torch.cat([weights[f"{name}.{part}"] for name in theirs])
        for part in ("weight", "bias")
    }


def _layer(weights: Mapping[str, Tensor], theirs: str, ours: str) -> dict[str, Tensor]:
    attention = [f"{theirs}.attention.self.{name}" for name in ("query", "key", "value")]
    state = _linear(f"{ours}.qkv", weights, *attention)
    for name, other in (
        ("out", "attention.output.dense"),
        ("norm_attention", "attention.output.LayerNorm"),
        ("mlp.0", "intermediate.dense"),
        ("mlp.2", "output.dense"),
        ("norm_mlp", "output.LayerNorm"),
    ):
        state |= _linear(f"{ours}.{name}", weights, f"{theirs}.{other}")
    return state
