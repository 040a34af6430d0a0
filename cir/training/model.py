"""The fusion transformer: image tokens and text tokens in one sequence, as in Visualized BGE."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from cir.training.attribute_space import LEARNED_WEIGHT, STRANGE_WEIGHT, AttributeSpace
from cir.training.attributes import AttributeHeads, Reader, flat
from cir.training.bert import layer, linear
from cir.training.gate import Gate
from cir.training.palette import BINS
from cir.training.tower import CELLS, ROWS, Tower
from cir.training.wishes import Wishes

PAD = 0  # token id; the tokenizer is made so
BIN_STD_FLOOR = 0.02  # added to a palette bin's: colours hardly seen shall not count for much


@dataclass(frozen=True)
class Shape:
    """Sizes of the fusion transformer; `dim` is the length of an embedding's learned part.

    Width, heads, hidden are those of MiniLM, whose first `depth` layers it begins with.
    `attributes` are attributes with their numbers of values. `channel_dropout` is the share of the
    tower's channels that training hides of each picture; `dropout` that of the values of all
    tokens.
    """

    vocabulary: int
    channels: int
    width: int = 384
    depth: int = 3
    heads: int = 12
    hidden: int = 1536
    dim: int = 256
    attributes: Mapping[str, int] = field(default_factory=dict)
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
        weights = weights.to(self.scale.device)
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
        ones = torch.ones_like(image[:, :, 0], dtype=torch.bool)
        if image_seen is not None:
            ones = ones & image_seen[:, None]
        row = self.out(self.read(image, ids, ones)) + self.short(_mean(image, ones))
        return functional.normalize(row.to(torch.float32), dim=-1)

    def read_text(self, ids: Tensor) -> Tensor:
        """`(n, 2 width)`: what the blocks make of the texts alone."""
        none = self.start.new_zeros(ids.shape[0], 0, self.start.shape[-1])
        return self.read(none, ids, torch.ones_like(none[:, :, 0], dtype=torch.bool))

    def read(self, image: Tensor, ids: Tensor, image_seen: Tensor) -> Tensor:
        """`(n, 2 width)`: [CLS] and the mean of all tokens; `image_seen` is `(n, t)`."""
        words = self.norm_words(self.words(ids) + self.position[: ids.shape[1]])
        start = self.start.expand(ids.shape[0], -1, -1)
        x = self.drop(torch.cat([start, image, words], dim=1))
        first = torch.ones_like(ids[:, :1], dtype=torch.bool)
        seen = torch.cat([first, image_seen, ids != PAD], dim=1)
        hidden = (~seen).to(torch.float32)[:, None, None, :] * -1e4
        for block in self.blocks:
            x = block(x, hidden)
        return torch.cat([x[:, 0], _mean(x, seen)], dim=-1)

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
        state |= linear("norm_words", weights, "embeddings.LayerNorm")
        for number in range(len(self.blocks)):
            state |= layer(weights, f"encoder.layer.{number}", f"blocks.{number}")
        missing, unexpected = self.load_state_dict(state, strict=False)
        assert not unexpected
        assert {name.split(".")[0] for name in missing} <= {"words", "out", "short"}
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
        self.reader = Reader(shape.attributes, shape.channels, 0.0).requires_grad_(False)
        self.gate = Gate(shape.channels + BINS).requires_grad_(False)
        self.drawing_gate = Gate(shape.channels + BINS).requires_grad_(False)
        self.heads = AttributeHeads(shape.attributes, shape.dim)
        self.wishes = Wishes(shape.attributes, 2 * shape.width)
        self.space = AttributeSpace(shape.attributes)
        self.log_scale = nn.Parameter(torch.tensor(3.0))

    def forward(
        self,
        features: Tensor,
        ids: Tensor,
        image_seen: Tensor | None = None,
        cells: Tensor | None = None,
    ) -> Tensor:
        """The learned part of the rows, `(n, dim)`: what training compares."""
        rows: Tensor = self.fusion(self.image_tokens(features, cells), ids, image_seen)
        return rows

    def train(self, mode: bool = True) -> "Compact":
        """As ever, but what reads pictures has learned in the lessons and stays as it is."""
        super().train(mode)
        self.reader.eval()
        return self

    def readings(self, features: Tensor) -> Tensor:
        """`(n, space.used)`: probabilities of what pictures show, as far as they count."""
        seen = self.reader.seen(features[:, :CELLS], features[:, CELLS, :BINS])
        probabilities = self.space.probabilities(flat(self.reader.heads(seen)))
        return self.space.counted(probabilities, self.gate(seen), self.drawing_gate(seen))

    def rows(self, features: Tensor | None, ids: Tensor) -> Tensor:
        """`(n, dim + ROOM)` embeddings of queries or pictures, as the graphs give them."""
        graph = FusionGraph(self)
        if features is None:
            none = torch.zeros(len(ids), 0, self.shape.width)
            return graph(none, torch.zeros(len(ids), self.space.used), ids)
        return graph(self.image_tokens(features), self.readings(features), ids)

    def parameter_groups(
        self, rate: float, pretrained_rate: float, heads_rate: float
    ) -> list[dict[str, object]]:
        """For an optimiser: what comes from the text model changes more slowly than what is new."""
        held = [*self.fusion.blocks.parameters(), self.fusion.position]
        held += self.fusion.norm_words.parameters()
        heads = [*self.heads.parameters(), *self.wishes.parameters()]
        heads = [each for each in heads if each.requires_grad]
        known = {id(each) for each in [*held, *heads]}
        learned = (each for each in self.parameters() if each.requires_grad)
        new = [each for each in learned if id(each) not in known]
        return [
            {"params": new, "lr": rate},
            {"params": held, "lr": pretrained_rate},
            {"params": heads, "lr": heads_rate},
        ]


class ImageGraph(nn.Module):
    """The first ONNX graph: bytes `(n, 224, 224, 3)` to image tokens and readings."""

    def __init__(self, tower: Tower, model: Compact) -> None:
        super().__init__()
        self.tower = tower
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.tower(images)
        return self.model.image_tokens(features), self.model.readings(features)


class FusionGraph(nn.Module):
    """The second ONNX graph: image tokens, readings and token ids to embeddings.

    A row without a text is a picture, with what is read of it; one with a text is a query, with
    what is wished of the target's attributes. Where the query's picture is of another kind than the
    attributes are made for, so that hardly any is kept, the learned part counts more.
    """

    def __init__(self, model: Compact) -> None:
        super().__init__()
        self.fusion, self.wishes, self.space = model.fusion, model.wishes, model.space

    def forward(self, image: Tensor, readings: Tensor, ids: Tensor) -> Tensor:
        learned = self.fusion(image, ids)
        asks = (ids != PAD).sum(dim=1, keepdim=True) > 1  # an empty text is one [SEP]
        seen = (readings != 0).any(dim=1, keepdim=True)  # without a picture they are zeros
        wished = self.space.wished(self.wishes(self.fusion.read_text(ids), readings))
        attributes = torch.where(asks, wished, self.space.shown(readings) * seen)
        strange = self.space.strangeness(readings) * (seen & asks)
        learned = learned * LEARNED_WEIGHT**0.5 * (1 + STRANGE_WEIGHT * strange)
        return functional.normalize(torch.cat([learned, attributes], dim=-1), dim=-1)


def _mean(x: Tensor, seen: Tensor) -> Tensor:
    """`(n, width)`: the mean of those tokens of `(n, s, width)` that are seen, 0 for none."""
    shares = seen.to(x.dtype)[..., None]
    return (x * shares).sum(dim=1) / shares.sum(dim=1).clamp(min=1.0)
