"""Image files: open, check, orient, flatten to RGB, shrink, hash; in bounded memory."""

import hashlib
import io
import math
import os
import struct
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, JpegImagePlugin, TiffImagePlugin, UnidentifiedImageError

from cir.errors import ImageError
from cir.parallel import usable_cores

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"})
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""All that Pillow is asked for: of its other formats some start programs, and few are kept well.
Photos of phones that hold a second picture (MPO) count as JPEG."""
MAX_BYTES = 100 * 2**20
MAX_PIXELS = 100_000_000
MAX_DECODING_BYTES = 640_000_000
"""Memory that decoding one picture may take."""
LARGE_BYTES = 128_000_000
"""Pictures that take more than this are decoded one at a time."""
WORKING_SIDE = 1024
THUMBNAIL_SIDE = 256
THUMBNAIL_QUALITY = 85
MAX_THUMBNAIL_BYTES = 256 * 2**10

LINK_OUT = "is a link that leads out of the folders whose images may be read"

# What Pillow keeps of a pixel, by mode; the other modes take four bytes.
_KEPT = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2, "I;16N": 2}
# What a pixel takes in all, as measured, where the decoder keeps whole frames of its own. The loop
# for compressed bitmaps is Python's: this also bounds its time.
_WHOLE_FRAMES = {"WEBP": 16, "AVIF": 20}
_BITMAP_LOOP = 32
# For each pixel of a row: decoders keep two rows, and a strip that is flattened has at least one.
_ROWS = 40
_STRIP_PIXELS = 2_000_000
# The `reducing_gap` of thumbnails: boxes of pixels are averaged down to this times the size.
_GAP = 2.0
_MOST_NUMBERS = 400_000  # in a TIFF's tag: tiles of 16 x 16 pixels

# Modes that Pillow shrinks well and cheaply as they are; the others are flattened in strips.
_SHRINKABLE = frozenset({"L", "RGB", "CMYK"})
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

_CLOCKWISE = {
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}
"""Pillow turns the other way."""

# Pillow warns of oddities that do not matter here. Once for the process: threads that decode cannot
# each set the warnings aside, `warnings.catch_warnings` is not made for threads.
warnings.filterwarnings("ignore", module=r"PIL\.")


def is_image_name(path: str | os.PathLike[str]) -> bool:
    """Whether the file's ending is one that Recompose reads as an image."""
    return Path(path).suffix.lower() in SUFFIXES


def leads_out(path: str | os.PathLike[str], roots: Sequence[Path]) -> bool:
    """Whether a file or folder lies, links followed, below none of the resolved `roots`.

    False without roots: then there is no limit.
    """
    resolved = Path(path).resolve()
    return bool(roots) and not any(resolved.is_relative_to(root) for root in roots)


def read_bytes(path: str | os.PathLike[str], roots: Sequence[Path] = ()) -> bytes:
    """The file's content.

    With `roots` it must lie below one of them, see `leads_out`; also a link that somebody changes
    at this moment leads nowhere else.

    Raises:
        ImageError: the file is missing, unreadable, empty, larger than `MAX_BYTES` or elsewhere.
    """
    try:
        with Path(path).open("rb") as file:
            # The file that is open, and not another that the name stood for a moment ago.
            if roots and (
                leads_out(path, roots)
                or not os.path.samestat(os.fstat(file.fileno()), Path(path).resolve().lstat())
            ):
                raise ImageError(LINK_OUT)
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
        ImageError: the content is empty, not an image, damaged, above `MAX_PIXELS`, or would take
            more than `MAX_DECODING_BYTES`.
    """
    if not data:
        raise ImageError("the file is empty (0 bytes)")

    def picture() -> Picture:
        _check_tags(data)
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            size = image.size  # drafting changes it
            with _admitted(image, data):
                return _picture(image, *size)

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


def open_image(path: str | os.PathLike[str], roots: Sequence[Path] = ()) -> Image.Image:
    """An upright RGB image from a file; errors as in `read_bytes` and `decode`, naming the file."""
    return open_reference(path, roots)[0]


def open_reference(
    path: str | os.PathLike[str], roots: Sequence[Path] = ()
) -> tuple[Image.Image, str]:
    """A reference image and the content hash of its file; errors as in `open_image`."""
    try:
        data = read_bytes(path, roots)
        return decode(data).image, content_hash(data)
    except ImageError as error:
        raise ImageError(f"{os.fspath(path)}: {error}.") from error


def as_rgb(image: Image.Image) -> Image.Image:
    """A Pillow image of any mode as the pictures of files are: upright, RGB, at most
    `WORKING_SIDE` pixels a side; the given one stays as it is.

    Raises:
        ImageError: it cannot be decoded, or is above `MAX_PIXELS`.
    """
    return _decoded(lambda: _picture(image.copy(), *image.size)).image


def part_of(
    image: Image.Image, turn: int = 0, box: tuple[float, float, float, float] | None = None
) -> Image.Image:
    """The image turned clockwise by 0, 90, 180 or 270 degrees, then cropped.

    `box` is left, top, right and bottom as shares of the turned image's sides, 0 to 1, to the
    nearest pixel; one is left at least. None keeps all.
    """
    if turn:
        image = image.transpose(_CLOCKWISE[turn])
    if box is None:
        return image
    left, right = _pixels_between(box[0], box[2], image.width)
    top, bottom = _pixels_between(box[1], box[3], image.height)
    return image.crop((left, top, right, bottom))


def _pixels_between(start: float, end: float, side: int) -> tuple[int, int]:
    first = min(round(start * side), side - 1)
    return first, max(round(end * side), first + 1)


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


@contextmanager
def _admitted(image: Image.Image, data: bytes) -> Iterator[None]:
    """Wait until there is memory to decode the picture; it is prepared for that.

    Raises:
        ImageError: it would take more than a picture may.
    """
    _check_pixels(image)
    width, height = image.size
    image.draft(None, (WORKING_SIDE, WORKING_SIDE))  # JPEG only: decodes large photos at a fraction
    cost = _decoding_bytes(image, data, width, height)
    if cost > MAX_DECODING_BYTES:
        most = width * height * MAX_DECODING_BYTES / cost / 10**6
        if most < 1:  # its shape is the trouble, not its size
            raise ImageError(
                f"the picture has {width} x {height} pixels in pieces or rows too large to decode "
                f"(above {MAX_DECODING_BYTES // 10**6} MB): save it anew"
            )
        raise ImageError(
            f"the picture has {width} x {height} pixels, the limit for one of its kind is "
            f"{most:.0f} megapixels: save it smaller, or as JPEG"
        )
    if cost > LARGE_BYTES:
        with _large, _at_once:
            yield
    else:
        with _at_once:
            yield


_large = threading.Lock()
_at_once = threading.BoundedSemaphore(max(2, usable_cores()))


def _check_pixels(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"the picture has {width} x {height} pixels, "
            f"the limit is {MAX_PIXELS // 10**6} megapixels: save it smaller"
        )


def _decoding_bytes(image: Image.Image, data: bytes, width: int, height: int) -> float:
    """Memory that decoding an opened file of this size takes at most, beside its content."""
    pixels = width * height
    kind = image.format or ""
    if kind in _WHOLE_FRAMES:
        return pixels * _WHOLE_FRAMES[kind]
    if kind == "BMP" and image.info.get("compression"):
        return pixels * _BITMAP_LOOP
    kept = image.width * image.height * _KEPT.get(image.mode, 4) + width * _ROWS
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        return kept + (0 if _is_one_scan(image, data) else pixels * _coefficients(image))
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.use_load_libtiff:
        return kept + 2 * _block_bytes(image)
    return kept


def _is_one_scan(image: JpegImagePlugin.JpegImageFile, data: bytes) -> bool:
    """Whether a JPEG's first scan holds all; else libjpeg keeps the coefficients of all scans."""
    at = 2
    while not image.info.get("progressive") and data[at : at + 1] == b"\xff":
        if data[at + 1] == 0xDA:  # start of scan: length, number of bands
            return data[at + 4] == image.layers
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return False


def _coefficients(image: JpegImagePlugin.JpegImageFile) -> float:
    """Bytes of coefficients for a pixel: two for each value, fewer values of shrunk bands."""
    values = [(across, down) for _, across, down, _ in image.layer]
    whole = max(across for across, _ in values) * max(down for _, down in values)
    return 2 * sum(across * down for across, down in values) / max(1, whole)


def _block_bytes(image: TiffImagePlugin.TiffImageFile) -> float:
    """Size of a TIFF's strips or tiles, which libtiff unpacks one by one."""
    tags = image.tag_v2
    width, height = tags[TiffImagePlugin.IMAGEWIDTH], tags[TiffImagePlugin.IMAGELENGTH]
    if TiffImagePlugin.TILEOFFSETS in tags:
        width, height = tags[TiffImagePlugin.TILEWIDTH], tags[TiffImagePlugin.TILELENGTH]
    else:
        height = min(height, tags.get(TiffImagePlugin.ROWSPERSTRIP, height))
    bands = tags.get(TiffImagePlugin.SAMPLESPERPIXEL, 1)
    deepest = max(tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,)))
    return float(width * height * max(4, bands * deepest / 8))


def _check_tags(data: bytes) -> None:
    """Refuse a TIFF with more numbers in a tag than a picture can need: each takes Pillow a tuple.

    Raises:
        ImageError: it is one.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        return
    big = data[2:4] in {b"+\0", b"\0+"}
    try:
        (start,) = struct.unpack_from(order + ("8xQ" if big else "4xL"), data)
        (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, start)
        size, form = (20, "HHQ8x") if big else (12, "HHL4x")
        first = start + (8 if big else 2)
        tags = data[first : first + min(count, 0x10000) * size]
        entries = struct.iter_unpack(order + form, tags[: len(tags) // size * size])
        fair = all(kind in _TEXT_KINDS or many <= _MOST_NUMBERS for _, kind, many in entries)
    except struct.error:
        return  # Pillow says what is wrong with it
    if count > 0xFFFF or not fair:
        raise ImageError("the picture is cut into more pieces than can be read: save it anew")


_TEXT_KINDS = {1, 2, 6, 7}
"""Types of TIFF tags that are kept as they come: bytes and letters."""


def _picture(image: Image.Image, width: int, height: int) -> Picture:
    _check_pixels(image)
    image.load()
    orientation = _orientation(image)
    if image.mode in _SHRINKABLE and "transparency" not in image.info:
        image.thumbnail((WORKING_SIDE, WORKING_SIDE), Image.Resampling.BICUBIC, reducing_gap=_GAP)
        small = _flatten(image)
    else:
        small = _shrunk_in_strips(image)
    if orientation in _TURNS:
        small = small.transpose(_TURNS[orientation])
    size = (height, width) if orientation >= 5 else (width, height)
    return Picture(small, *size)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; a damaged tag leaves the picture as it is."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # as in `decode`; a picture without its tag is better than none
        return 1
    return orientation if orientation in _TURNS else 1


def _shrunk_in_strips(image: Image.Image) -> Image.Image:
    """RGB of a loaded picture, its longest side at most `WORKING_SIDE`.

    The same as `_flatten` and `Image.thumbnail` give, without a flattened copy at full size.
    """
    width, height = image.size
    final = _fitted(width, height)
    if image.mode not in {"LA", "RGBA"}:
        flatten = _flattening(image)
    elif final == image.size:
        return _flatten(image)
    else:  # weighted by their opacity, pixels can be averaged
        weighted = {"LA": "La", "RGBA": "RGBa"}[image.mode]
        flatten = lambda strip: strip.convert(weighted)  # noqa: E731
    across, down = (
        int(full / small / _GAP) or 1 for full, small in zip(image.size, final, strict=True)
    )
    rows = max(1, _STRIP_PIXELS // (width * down)) * down
    reduced: Image.Image | None = None
    for top in range(0, height, rows):
        strip = flatten(image.crop((0, top, width, min(height, top + rows))))
        if reduced is None:
            size = (math.ceil(width / across), math.ceil(height / down))
            reduced = Image.new(strip.mode, size)
        reduced.paste(strip.reduce((across, down)), (0, top // down))
    assert reduced is not None  # a picture has a row
    box = (0, 0, width / across, height / down)
    small = reduced.resize(final, Image.Resampling.BICUBIC, box=box)
    return _flatten(small.convert(image.mode) if image.mode in {"LA", "RGBA"} else small)


def _fitted(width: int, height: int) -> tuple[int, int]:
    """The size that `Image.thumbnail` gives a picture, for a longest side of `WORKING_SIDE`."""
    if max(width, height) <= WORKING_SIDE:
        return width, height
    aspect = width / height

    def nearest(number: float, error: Callable[[int], float]) -> int:
        return max(min(math.floor(number), math.ceil(number), key=error), 1)

    if aspect <= 1:
        across = nearest(WORKING_SIDE * aspect, lambda side: abs(aspect - side / WORKING_SIDE))
        return across, WORKING_SIDE
    return WORKING_SIDE, nearest(
        WORKING_SIDE / aspect, lambda side: abs(aspect - WORKING_SIDE / side) if side else 0
    )


def _flatten(image: Image.Image) -> Image.Image:
    return _flattening(image)(image)


def _flattening(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """What turns the picture, or a strip of it, to RGB; transparency comes on white."""
    if image.mode.startswith("I;16") or image.mode in {"I", "F"}:
        top = _brightest(image)
        return lambda strip: _eight_bit(strip, top)
    if image.has_transparency_data:
        return _on_white
    return lambda strip: strip.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")


def _brightest(image: Image.Image) -> float:
    """The value that is white in greyscale of more than eight bits."""
    if image.mode.startswith("I;16"):
        return 65535.0
    rows = max(1, _STRIP_PIXELS // image.width)
    strips = (
        image.crop((0, top, image.width, min(image.height, top + rows)))
        for top in range(0, image.height, rows)
    )
    highest = max(float(_numbers(strip).max()) for strip in strips)
    if image.mode == "F" and highest <= 1.0:
        return 1.0
    return 255.0 if highest <= 255.0 else max(65535.0, highest)


def _eight_bit(image: Image.Image, top: float) -> Image.Image:
    """Greyscale of more than eight bits, which Pillow's own conversion would clip to white."""
    grey = (_numbers(image) / top * 255).clip(0, 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def _numbers(image: Image.Image) -> NDArray[np.float32]:
    values: NDArray[np.float32] = np.asarray(image, dtype=np.float32)
    return np.nan_to_num(values, posinf=0.0, neginf=0.0)
