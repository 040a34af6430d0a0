"""What the large encoders share: batches, their order, a device whose memory is too small."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor, nn

from cir.encoders.on_torch.encoder import GPU_BATCH, Setup, TorchEncoder
from cir.encoders.on_torch.tokens import TextTokens
from cir.encoders.visualized_bge import BASE
from cir.errors import EncoderError
from tests.drawn import COLOURS, checked, solid, striped
from tests.places import GOLDEN

TOKENIZER = GOLDEN / "tiny-base-tokenizer"
SIDE, LIMIT = 4, 6


class SmallMemory(nn.Module):
    """A matrix that holds a batch only up to a size, and notes the sizes it got."""

    def __init__(self, most: int, words: str) -> None:
        super().__init__()
        self.matrix = nn.Linear(3 * SIDE * SIDE, 8)
        self.most, self.words = most, words
        self.sizes: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.sizes.append(len(x))
        if len(x) > self.most:
            raise torch.OutOfMemoryError(self.words)
        rows: Tensor = nn.functional.normalize(self.matrix(x.flatten(1)), dim=-1)
        return rows


class SmallEncoder(TorchEncoder):
    """An encoder on that network, told that its device is a GPU."""

    def __init__(self, network: SmallMemory, device: str = "mps") -> None:
        self.network = network
        setup = Setup(torch.device("cpu"), "exact", None, None)
        options = {"dim": 8, "side": SIDE}
        tokens = TextTokens(TOKENIZER)
        super().__init__(BASE, network, tokens, setup, fingerprint="f", **options)
        # The arrays stay in the machine's memory: only what is done about errors is a GPU's.
        self.device = torch.device(device)
        self.batch = GPU_BATCH
        self.looked: list[int] = []

    @property
    def _instruction_limit(self) -> int:
        return LIMIT

    def _image_parts(self, pixels: Tensor) -> Tensor:
        self.looked.append(len(pixels))
        return pixels

    def _image_rows(self, parts: Tensor) -> Tensor:
        rows: Tensor = self.network(parts)
        return rows

    def _text_rows(self, ids: Sequence[list[int]]) -> Tensor:
        raise NotImplementedError

    def _composed_rows(self, parts: Tensor, ids: Sequence[list[int]]) -> Tensor:
        return self._image_rows(parts)

    def _parts(self, batch: NDArray[np.uint8]) -> Tensor:
        return self._image_parts(torch.from_numpy(batch).permute(0, 3, 1, 2).float())


def images(count: int) -> list[Image]:
    made = [draw(colour) for draw in (solid, striped, checked) for colour in COLOURS]
    return [made[at % len(made)] for at in range(count)]


def test_a_batch_that_memory_does_not_hold_is_halved() -> None:
    network = SmallMemory(10, "CUDA out of memory. Tried to allocate 2 GiB")
    encoder = SmallEncoder(network)
    rows = encoder.encode_images(images(50))
    assert network.sizes == [50, 25, 12, 6, 6, 6, 6, 6, 6, 6, 6, 2]
    assert encoder.batch == 6, "and stays so"
    network.most = 1000
    encoder.batch = GPU_BATCH
    np.testing.assert_allclose(rows, encoder.encode_images(images(50)), atol=1e-6)


def test_one_image_too_many_is_a_sentence() -> None:
    encoder = SmallEncoder(SmallMemory(0, "MPS backend out of memory"))
    with pytest.raises(EncoderError, match="does not hold one image of visualized-bge-base"):
        encoder.encode_images(images(3))


def test_other_errors_pass_and_so_do_those_of_a_cpu() -> None:
    encoder = SmallEncoder(SmallMemory(1, "a shape is wrong"))
    with pytest.raises(RuntimeError, match="a shape is wrong"):
        encoder.encode_images(images(3))
    encoder = SmallEncoder(SmallMemory(1, "out of memory"), "cpu")
    with pytest.raises(RuntimeError, match="out of memory"):
        encoder.encode_images(images(3))
    assert encoder.network.sizes == [3]


def test_an_image_is_looked_at_once_for_several_instructions() -> None:
    network = SmallMemory(100, "")
    encoder = SmallEncoder(network)
    for text in ("tok200", "tok201", ""):
        encoder.encode_composed(images(3), [text] * 3)
    assert encoder.looked == [3]


def test_texts_beyond_the_limit_are_told() -> None:
    encoder = SmallEncoder(SmallMemory(9, ""))
    fits = " ".join(["tok200"] * (LIMIT - 2))
    assert encoder.truncates([fits, f"{fits} tok200", ""]) == [False, True, False]
