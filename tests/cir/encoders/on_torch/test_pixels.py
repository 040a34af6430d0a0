"""Crops against torchvision's, whose the reference code uses."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from cir.encoders.on_torch.pixels import LONG, centre_crop, pixel_rows
from cir.encoders.on_torch.torchvision_compat import prepare_torchvision
from tests.needs import needs

needs("torchvision", "torchvision comes with requirements.txt")
SIDE = 224
SIZES = [
    *((48, 36), (36, 48), (301, 227), (227, 301), (225, 224), (224, 227), (500, 333), (333, 500)),
    *((224, 224), (50, 37), (49, 98), (1, 3), (640, 427), (427, 640), (1, 1), (2000, 150)),
]


@pytest.fixture(scope="module")
def reference() -> Any:
    prepare_torchvision()
    from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

    return Compose([Resize(SIDE, InterpolationMode.BICUBIC), CenterCrop(SIDE)])


def noise(size: tuple[int, int]) -> Image.Image:
    rng = np.random.default_rng(size[0])
    return Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


@pytest.mark.parametrize("size", SIZES)
def test_a_crop_is_torchvisions(size: tuple[int, int], reference: Any) -> None:
    image = noise(size)
    np.testing.assert_array_equal(pixel_rows([image], SIDE)[0], np.asarray(reference(image)))


def test_odd_margins_are_taken_off_or_rounded() -> None:
    image = noise((7, 4))
    whole = np.asarray(image)
    for rounded, left in ((True, 2), (False, 1)):
        crop = np.asarray(centre_crop(image, 4, rounded=rounded))
        np.testing.assert_array_equal(crop, whole[:, left : left + 4])


@pytest.mark.parametrize("size", [(LONG * 30, 20), (20, LONG * 30), (1, 100_000), (100_000, 1)])
def test_a_very_long_image_gives_its_middle(size: tuple[int, int], reference: Any) -> None:
    """Of the last two, the scaled picture would take 15 GB."""
    across = np.linspace(0, 255, max(size)).astype(np.uint8)
    row = across[None] if size[0] > size[1] else across[:, None]
    image = Image.fromarray(np.broadcast_to(row[..., None], (size[1], size[0], 3)).copy())
    crop = pixel_rows([image], SIDE)[0].astype(int)
    assert crop.shape == (SIDE, SIDE, 3)
    assert abs(crop.mean() - 127.5) < 2
    if max(size) < 1000:
        assert abs(crop - np.asarray(reference(image), int)).max() <= 1


def test_rows_are_bytes() -> None:
    rows = pixel_rows([noise((30, 20)), noise((20, 30))], 16)
    assert rows.shape == (2, 16, 16, 3) and rows.dtype == np.uint8
