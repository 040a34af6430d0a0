"""Image files: open, check, orient, flatten to RGB, shrink, hash."""

import hashlib
import io
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from cir.errors import ImageError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"})
MAX_BYTES = 100 * 2**20
MAX_PIXELS = 100_000_000
WORKING_SIDE = 1024
THUMBNAIL_SIDE = 256
THUMBNAIL_QUALITY = 85
MAX_THUMBNAIL_BYTES = 256 * 2**10

# Modes that Pillow shrinks well as they are; the others are flattened first, at full size.
_SHRINKABLE = frozenset({"L", "LA", "RGB", "RGBA", "CMYK"})
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By EXIF orientation, what makes a picture upright; from 5 on, width and height change places."""

# Pillow warns of oddities that do not matter here. Once for the process: threads that decode cannot
# each set the warnings aside, `warnings.catch_warnings` is not made for threads.
warnings.filterwarnings("ignore", module=r"PIL\.")


def is_image_name(path: str | os.PathLike[str]) -> bool:
    """Whether the file's ending is one that Recompose reads as an image."""
    return Path(path).suffix.lower() in SUFFIXES


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The file's content.

    Raises:
        ImageError: the file is missing, unreadable, empty or larger than `MAX_BYTES`.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)  # bounded: a device has no size and no end
    except FileNotFoundError as error:
        raise ImageError("there is no such file") from error
    except IsADirectoryError as error:
        raise ImageError("this is a folder, not an image file") from error
    except OSError as error:
        raise ImageError(f"the file cannot be read ({error.strerror or error})") from error
    except ValueError as error:  # a NUL in the name
        raise ImageError("this cannot be the name of a file") from error
    if len(data) > MAX_BYTES:
        raise ImageError(
            f"the file has more than {MAX_BYTES // 2**20} MB, which is the limit: save it smaller"
        )
    return data


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

    def picture() -> Picture:
        with Image.open(io.BytesIO(data)) as image:
            return _picture(image)

    return _decoded(picture)


def _decoded(work: Callable[[], Picture]) -> Picture:
    """What the work gives; whatever Pillow raises is a sentence."""
    try:
        return work()
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError("the content is not an image of a known format") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"the picture is larger than {MAX_PIXELS // 10**6} megapixels") from error
    except MemoryError as error:
        raise ImageError("the picture needs more memory than there is") from error
    except Exception as error:  # on damaged files Pillow's decoders raise nearly anything
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


def as_rgb(image: Image.Image) -> Image.Image:
    """A Pillow image of any mode as the pictures of files are: upright, RGB, at most
    `WORKING_SIDE` pixels a side; the given one stays as it is.

    Raises:
        ImageError: it cannot be decoded, or is above `MAX_PIXELS`.
    """
    return _decoded(lambda: _picture(image.copy())).image


def thumbnail(image: Image.Image) -> bytes:
    """JPEG of the image with its longest side at most `THUMBNAIL_SIDE` pixels."""
    small = image.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=THUMBNAIL_QUALITY)
    return buffer.getvalue()


def is_thumbnail(data: bytes) -> bool:
    """Whether this begins as a JPEG file does, of at most `MAX_THUMBNAIL_BYTES` and `WORKING_SIDE`
    pixels a side; nothing is decoded.
    """
    if len(data) > MAX_THUMBNAIL_BYTES:
        return False
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            return max(image.size) <= WORKING_SIDE
    except Exception:  # as in `decode`
        return False


def _picture(image: Image.Image) -> Picture:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"the picture has {width} x {height} pixels, "
            f"the limit is {MAX_PIXELS // 10**6} megapixels: save it smaller"
        )
    image.draft(None, (WORKING_SIDE, WORKING_SIDE))  # JPEG only: decodes large photos at a fraction
    image.load()
    orientation = _orientation(image)
    shrinkable = image.mode in _SHRINKABLE and "transparency" not in image.info
    small = image if shrinkable else _flatten(image)
    small.thumbnail((WORKING_SIDE, WORKING_SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
    if orientation in _TURNS:
        small = small.transpose(_TURNS[orientation])
    size = (height, width) if orientation >= 5 else (width, height)
    return Picture(_flatten(small), *size)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; a damaged tag leaves the picture as it is."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # as in `decode`; a picture without its tag is better than none
        return 1
    return orientation if orientation in _TURNS else 1


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
    values = np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0.0, neginf=0.0)
    highest = float(values.max())
    if image.mode == "F" and highest <= 1.0:
        top = 1.0
    elif image.mode in {"I", "F"} and highest <= 255.0:
        top = 255.0
    else:
        top = max(65535.0, highest)
    return Image.fromarray((values / top * 255).clip(0, 255).astype(np.uint8)).convert("RGB")
