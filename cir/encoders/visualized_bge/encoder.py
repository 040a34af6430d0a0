"""Visualized BGE (Zhou et al. 2024) as an encoder."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from cir.encoders.on_torch.encoder import Setup, TorchEncoder
from cir.encoders.on_torch.tensors import fingerprint
from cir.encoders.on_torch.tokens import TextTokens, cut, padded
from cir.encoders.protocol import EncoderSpec
from cir.encoders.visualized_bge.checkpoint import load_network
from cir.encoders.visualized_bge.model import VisualizedBge
from cir.errors import EncoderError

PREPROCESSING = b"visualized-bge 1"  # a part of the fingerprint: new whenever embeddings change


class VisualizedBgeEncoder(TorchEncoder):
    """Image tokens of an EVA02 tower beside the words of a BGE text model."""

    network: VisualizedBge

    def __init__(self, spec: EncoderSpec, weights: Path, tokenizer: Path, setup: Setup) -> None:
        """Load a checkpoint and a tokenizer folder.

        Raises:
            EncoderError: one is missing or damaged, or they do not belong to this encoder.
        """
        tokens = TextTokens(tokenizer)
        network = load_network(weights)
        _require_family(spec, network, weights)
        sizes = network.text.sizes
        tokens.require_vocabulary(sizes.vocabulary, weights)
        self.network = network
        self._pad = sizes.pad
        self._empty = tokens.ids([""])[0]
        super().__init__(
            spec,
            network,
            tokens,
            setup,
            dim=sizes.width,
            side=network.tower.sizes.side,
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
        return padded([cut(each, limit) for each in ids], self._pad, self.device)


def _require_family(spec: EncoderSpec, network: VisualizedBge, weights: Path) -> None:
    found = "visualized-bge-m3" if network.text.sizes.is_xlm_r else "visualized-bge-base"
    if found != spec.name:
        raise EncoderError(f"{weights} is a checkpoint of {found}, not of {spec.name}.")
