"""Image files: open, check, orient, flatten to RGB, shrink, hash."""

import hashlib
import io
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from cir.errors import ImageError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"})
MAX_BYTES = 100 * 2**20
MAX_PIXELS = 100_000_000
WORKING_SIDE = 1024
THUMBNAIL_SIDE = 256
THUMBNAIL_QUALITY = 85


def is_image_name(path: str | os.PathLike[str]) -> bool:
    """Whether the file's ending is one that Recompose reads as an image."""
    return Path(path).suffix.lower() in SUFFIXES


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The file's content.

    Raises:
        ImageError: the file is missing, unreadable, empty or larger than `MAX_BYTES`.
    """
    try:
        size = Path(path).stat().st_size
        if size > MAX_BYTES:
            raise ImageError(
                f"the file has {size / 2**20:.0f} MB, the limit is {MAX_BYTES / 2**20:.0f} MB: "
                "save it smaller"
            )
        return Path(path).read_bytes()
    except FileNotFoundError as error:
        raise ImageError("there is no such file") from error
    except IsADirectoryError as error:
        raise ImageError("this is a folder, not an image file") from error
    except OSError as error:
        raise ImageError(f"the file cannot be read ({error.strerror or error})") from error


def content_hash(data: bytes) -> str:
    """First 32 hex digits of the SHA-256 of a file's content."""
    return hashlib.sha256(data).hexdigest()[:32]


@dataclass(frozen=True)
class Picture:
    """A decoded image file.

    Attributes:
        image: upright RGB, first frame, transparency on white, longest side at most `WORKING_SIDE`:
            no encoder sees more, and a queue of decoded photos stays small.
        width, height: pixels of the file itself, upright.
    """

    image: Image.Image
    width: int
    height: int


def decode(data: bytes) -> Picture:
    """The picture in a file's content.

    Raises:
        ImageError: the content is empty, not an image, damaged, or above `MAX_PIXELS`.
    """
    if not data:
        raise ImageError("the file is empty (0 bytes)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                return _picture(image)
    except UnidentifiedImageError as error:
        raise ImageError("the content is not an image of a known format") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"the picture is larger than {MAX_PIXELS // 10**6} megapixels") from error
    except MemoryError as error:
        raise ImageError("the picture needs more memory than there is") from error
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, KeyError) as error:
        # Pillow's decoders raise all of these on damaged files.
        raise ImageError(f"the picture is damaged ({error})") from error


def open_image(path: str | os.PathLike[str]) -> Image.Image:
    """An upright RGB image from a file; errors as in `read_bytes` and `decode`, naming the file."""
    return open_reference(path)[0]


def open_reference(path: str | os.PathLike[str]) -> tuple[Image.Image, str]:
    """A reference image and the content hash of its file; errors as in `open_image`."""
    try:
        data = read_bytes(path)
        return decode(data).image, content_hash(data)
    except ImageError as error:
        raise ImageError(f"{os.fspath(path)}: {error}.") from error


def thumbnail(image: Image.Image) -> bytes:
    """JPEG of the image with its longest side at most `THUMBNAIL_SIDE` pixels."""
    small = image.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=THUMBNAIL_QUALITY)
    return buffer.getvalue()


def _picture(image: Image.Image) -> Picture:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"the picture has {width} x {height} pixels, "
            f"the limit is {MAX_PIXELS // 10**6} megapixels: save it smaller"
        )
    image.draft(None, (WORKING_SIDE, WORKING_SIDE))  # JPEG only: decodes large photos at a fraction
    image.load()
    upright = _oriented(image)
    turned = (upright.width > upright.height) != (image.width > image.height)
    small = _flatten(upright)
    small.thumbnail((WORKING_SIDE, WORKING_SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return Picture(small, *((height, width) if turned else (width, height)))


def _oriented(image: Image.Image) -> Image.Image:
    """Upright by its EXIF tag; a damaged tag leaves the picture as it is."""
    try:
        return ImageOps.exif_transpose(image)
    except (OSError, ValueError, SyntaxError, KeyError, TypeError, IndexError):
        return image


def _flatten(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode in {"I", "F"}:
        return _eight_bit(image)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """Greyscale of more than eight bits, which Pillow's own conversion would clip to white."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float32))
    highest = float(values.max()) if values.size else 0.0
    if image.mode == "F" and highest <= 1.0:
        top = 1.0
    elif image.mode in {"I", "F"} and highest <= 255.0:
        top = 255.0
    else:
        top = 65535.0
    return Image.fromarray((values / top * 255).clip(0, 255).astype(np.uint8)).convert("RGB")
