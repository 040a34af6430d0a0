"""Pictures as CLIP's encoders take them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image, Resampling

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


def centre_crop(image: Image, side: int) -> Image:
    """The shorter side scaled to `side` pixels (bicubic), then the square in the middle."""
    width, height = image.size
    scale = side / min(width, height)
    size = (
        side if width <= height else int(width * scale),
        side if height <= width else int(height * scale),
    )
    if image.size != size:
        image = image.resize(size, Resampling.BICUBIC)
    left, top = round((size[0] - side) / 2), round((size[1] - side) / 2)
    return image.crop((left, top, left + side, top + side))


def pixel_rows(images: Sequence[Image], side: int) -> NDArray[np.uint8]:
    """`(n, side, side, 3)` bytes of `n` RGB images, cropped."""
    return np.stack([np.asarray(centre_crop(image, side)) for image in images])
