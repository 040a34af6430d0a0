"""What the large encoders share: batches that fit the device, order, memory of recent images."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor, nn

from cir.encoders.on_torch.devices import (
    Precision,
    apply_precision,
    arithmetic,
    pick_device,
    pick_precision,
    use_usable_cores,
)
from cir.encoders.on_torch.pixels import MEAN, STD, pixel_rows
from cir.encoders.on_torch.tokens import TextTokens
from cir.encoders.protocol import Embeddings, EncoderChoice, EncoderSpec
from cir.encoders.remembered import Remembered
from cir.encoders.texts import is_shortened
from cir.errors import EncoderError, WayOut

CPU_BATCH, GPU_BATCH = 8, 128  # a GPU's is halved where its memory does not hold it


@dataclass(frozen=True)
class Setup:
    """How an encoder computes, and which files a person named for it; see `EncoderChoice`."""

    device: torch.device
    precision: Precision
    weights: str | None
    tokenizer: str | None


def setup_of(choice: EncoderChoice) -> Setup:
    """The setup of a choice; its files are those that a person named.

    Raises:
        EncoderError: there is no such device or precision here.
    """
    place = pick_device(choice.device)
    return Setup(place, pick_precision(choice.precision, place), choice.weights, choice.tokenizer)


class TorchEncoder(ABC):
    """An encoder on torch: its network takes normalised pixels and token ids.

    Rows do not depend on the batch they are computed in or on the order. Safe to share between
    threads.
    """

    def __init__(
        self,
        spec: EncoderSpec,
        network: nn.Module,
        tokens: TextTokens,
        setup: Setup,
        *,
        dim: int,
        side: int,
        fingerprint: str,
    ) -> None:
        """Put the network on its device.

        `dim` is the length of its embeddings, `side` the pixels a side of its pictures.
        """
        parameters = sum(each.numel() for each in network.parameters())
        self.spec = spec if dim == spec.dim else replace(spec, dim=dim, parameters=parameters)
        self.fingerprint = fingerprint
        self.precision: str = setup.precision
        self._arithmetic = partial(arithmetic, setup.device, setup.precision)
        self.weights, self.tokenizer = setup.weights, setup.tokenizer
        self.device = setup.device
        use_usable_cores()
        apply_precision(network, setup.precision)
        network.to(setup.device)
        self.batch = CPU_BATCH if setup.device.type == "cpu" else GPU_BATCH
        self._tokens = tokens
        self._side = side
        self._remembered: Remembered[Tensor] = Remembered()
        self._mean = torch.tensor(MEAN, device=setup.device)[:, None, None]
        self._std = torch.tensor(STD, device=setup.device)[:, None, None]

    def encode_images(self, images: Sequence[Image]) -> Embeddings:
        """`(n, dim)` float32 unit rows of `n` RGB images."""

        def work(members: list[int]) -> Tensor:
            return self._image_rows(self._parts(self._cropped([images[at] for at in members])))

        return self._in_batches(list(range(len(images))), work)

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """`(n, dim)` float32 unit rows of `n` texts; what is too long is cut."""
        ids = self._tokens.ids(texts)
        return self._in_batches(
            _by_length(ids), lambda members: self._text_rows([ids[at] for at in members])
        )

    def encode_composed(self, images: Sequence[Image], texts: Sequence[str]) -> Embeddings:
        """`(n, dim)` float32 unit rows of `n` pairs of reference image and instruction.

        An empty text gives the row of the image alone; what is too long is cut.

        Raises:
            ValueError: there are not as many texts as images.
        """
        if len(images) != len(texts):
            raise ValueError(f"{len(images)} images and {len(texts)} texts do not pair up")
        ids = self._tokens.ids(texts)

        def work(members: list[int]) -> Tensor:
            batch = self._cropped([images[at] for at in members])
            parts = torch.stack(self._remembered.get(batch, self._parts_of))
            return self._composed_rows(parts, [ids[at] for at in members])

        return self._in_batches(_by_length(ids), work)

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        """For each text, whether it is longer than the model can read beside an image."""
        read = zip(texts, self._tokens.ids(texts), strict=True)
        return [is_shortened(text) or len(ids) > self._instruction_limit for text, ids in read]

    @property
    @abstractmethod
    def _instruction_limit(self) -> int:
        """Tokens of an instruction, marks included."""

    @abstractmethod
    def _image_parts(self, pixels: Tensor) -> Tensor:
        """`(n, 3, side, side)` normalised pixels to what of each image every query needs."""

    @abstractmethod
    def _image_rows(self, parts: Tensor) -> Tensor:
        """Unit rows of images."""

    @abstractmethod
    def _text_rows(self, ids: Sequence[list[int]]) -> Tensor:
        """Unit rows of texts."""

    @abstractmethod
    def _composed_rows(self, parts: Tensor, ids: Sequence[list[int]]) -> Tensor:
        """Unit rows of composed queries."""

    def _cropped(self, images: Sequence[Image]) -> NDArray[np.uint8]:
        """`(n, side, side, 3)` bytes of images."""
        return pixel_rows(images, self._side)

    def _parts(self, batch: NDArray[np.uint8]) -> Tensor:
        pixels = rearrange(torch.from_numpy(batch).to(self.device), "n h w rgb -> n rgb h w")
        return self._image_parts((pixels.float() / 255 - self._mean) / self._std)

    def _parts_of(self, batch: NDArray[np.uint8]) -> list[Tensor]:
        # Copies: a row of the batch would keep the whole of it in memory.
        return [part.clone() for part in self._parts(batch)]

    def _in_batches(self, order: list[int], work: Callable[[list[int]], Tensor]) -> Embeddings:
        """Rows of all members, computed in this order; a batch too large for memory is halved."""
        rows = np.zeros((len(order), self.spec.dim), np.float32)
        start = 0
        while start < len(order):
            members = order[start : start + self.batch]
            try:
                with torch.inference_mode(), self._arithmetic():
                    rows[members] = work(members).float().cpu().numpy()
            except RuntimeError as error:  # torch.OutOfMemoryError is one; Apple's has no class
                self._shrink(len(members), error)
            else:
                start += len(members)
                continue
            if self.device.type == "cuda":  # the error is gone, and what its frames held
                torch.cuda.empty_cache()
        return rows

    def _shrink(self, size: int, error: RuntimeError) -> None:
        if "out of memory" not in str(error).lower() or self.device.type == "cpu":
            raise error
        if size == 1:
            raise EncoderError(
                f"The memory of {self.device} does not hold one image of {self.spec.name}.",
                WayOut.OTHER_DEVICE,
            ) from error
        self.batch = max(1, size // 2)


def _by_length(ids: Sequence[list[int]]) -> list[int]:
    """Positions by the length of their ids: neighbours need little padding."""
    return sorted(range(len(ids)), key=lambda at: len(ids[at]))
