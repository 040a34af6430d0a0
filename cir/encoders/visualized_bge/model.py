"""The composition: image tokens and words in one sequence of the text model.

After `visual_bge/modeling.py` of FlagOpen/FlagEmbedding (MIT licence).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from cir.encoders.visualized_bge.layers import Linear
from cir.encoders.visualized_bge.text import TextModel, TextSizes
from cir.encoders.visualized_bge.tower import Tower, TowerSizes


class VisualizedBge(nn.Module):
    """Normalised pixels and token ids to unit rows."""

    def __init__(self, tower: TowerSizes, text: TextSizes) -> None:
        super().__init__()
        self.tower = Tower(tower)
        self.visual_proj = Linear(tower.width, text.width)
        self.text = TextModel(text)

    @property
    def text_limit(self) -> int:
        """Tokens of a text alone, its two marks included."""
        return self.text.sizes.positions - self.text.sizes.start

    @property
    def instruction_limit(self) -> int:
        """Tokens of a text beside an image, its two marks included."""
        return self.text.sizes.positions - self.tower.sizes.tokens

    def image_tokens(self, pixels: Tensor) -> Tensor:
        """`(b, 3, side, side)` to `(b, tokens, width)` float32: what `composed` reads."""
        tokens: Tensor = self.visual_proj(self.tower(pixels))
        return tokens.float()

    def composed(self, image: Tensor, ids: Tensor, seen: Tensor | None = None) -> Tensor:
        """Unit rows `(b, width)` of image tokens with token ids `(b, n)`.

        The sequence is the first token, the image, the rest of the text. Image tokens have
        positions but no token type. `seen` `(b, n)` is False for padding on the right; None: there
        is none.
        """
        embeddings, count = self.text.embeddings, image.shape[1]
        words = functional.embedding(ids, embeddings.words) + embeddings.token_type[0]
        words[:, 0] += embeddings.position[0]
        words[:, 1:] += embeddings.position[count + 1 : count + ids.shape[1]]
        pictured = image + embeddings.position[1 : count + 1]
        sequence = torch.cat([words[:, :1], pictured, words[:, 1:]], dim=1)
        if seen is not None:
            shown = seen.new_ones(len(seen), count)
            seen = torch.cat([seen[:, :1], shown, seen[:, 1:]], dim=1)
        return self._unit_rows(sequence, seen)

    def texts(self, ids: Tensor, seen: Tensor | None = None) -> Tensor:
        """Unit rows `(b, width)` of token ids `(b, n)` alone; `seen` as in `composed`."""
        embeddings, start = self.text.embeddings, self.text.sizes.start
        words = functional.embedding(ids, embeddings.words) + embeddings.token_type[0]
        words += embeddings.position[start : start + ids.shape[1]]
        return self._unit_rows(words, seen)

    def _unit_rows(self, sequence: Tensor, seen: Tensor | None) -> Tensor:
        first = self.text(self.text.embeddings.norm(sequence), seen)
        return functional.normalize(first.float(), dim=-1)
