"""Pictures as CLIP's encoders take them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image, Resampling

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
LONG = 16  # times as long as wide: from there on only the middle is scaled


def centre_crop(image: Image, side: int, *, rounded: bool) -> Image:
    """The shorter side scaled to `side` pixels (bicubic), then the square in the middle.

    `rounded` says where the middle is when what is cut off is odd: half a pixel is rounded to even,
    as torchvision does it, or taken off, as `transformers` does it.
    """
    shorter = min(image.size)
    size = (image.width * side // shorter, image.height * side // shorter)
    left, top = (_half(length - side, rounded=rounded) for length in size)
    if max(size) > LONG * side:
        return _middle(image, side, (left, top), size)
    if image.size != size:
        image = image.resize(size, Resampling.BICUBIC)
    return image.crop((left, top, left + side, top + side))


def pixel_rows(images: Sequence[Image], side: int, *, rounded: bool = True) -> NDArray[np.uint8]:
    """`(n, side, side, 3)` bytes of `n` RGB images, cropped; `rounded` as in `centre_crop`."""
    return np.stack([np.asarray(centre_crop(image, side, rounded=rounded)) for image in images])


def _half(count: int, *, rounded: bool) -> int:
    return round(count / 2) if rounded else count // 2


def _middle(image: Image, side: int, at: tuple[int, int], size: tuple[int, int]) -> Image:
    """The crop at `at` of the image scaled to `size`, which is never made: it may take gigabytes.

    Bytes differ a little from those of a crop of the scaled image, where bicubic overshoots.
    """
    across, down = image.width / size[0], image.height / size[1]
    left, top = at[0] * across, at[1] * down
    box = (left, top, left + side * across, top + side * down)
    return image.resize((side, side), Resampling.BICUBIC, box=box)
