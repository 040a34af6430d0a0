"""Small drawn pictures, and files that only look like pictures."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

COLOURS = ("red", "green", "blue", "yellow", "purple", "orange")
SIZE = (48, 36)


def solid(colour: str, size: tuple[int, int] = SIZE) -> Image.Image:
    """One colour all over."""
    return Image.new("RGB", size, colour)


def striped(colour: str, size: tuple[int, int] = SIZE) -> Image.Image:
    """Horizontal white stripes."""
    image = solid(colour, size)
    pencil = ImageDraw.Draw(image)
    for top in range(0, size[1], 12):
        pencil.rectangle((0, top, size[0], top + 5), fill="white")
    return image


def checked(colour: str, size: tuple[int, int] = SIZE) -> Image.Image:
    """White checks."""
    image = solid(colour, size)
    pencil = ImageDraw.Draw(image)
    for top in range(0, size[1], 8):
        for left in range(top % 16, size[0], 16):
            pencil.rectangle((left, top, left + 7, top + 7), fill="white")
    return image


def save(image: Image.Image, path: Path, **options: Any) -> Path:
    """Write the picture, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def content(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """A picture file's content."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def draw_album(folder: Path, kinds: int = 3) -> Path:
    """Six pictures a kind: solid ones, striped ones in a folder, checked ones in one below it."""
    for colour in COLOURS:
        save(solid(colour), folder / f"{colour}.png")
        if kinds > 1:
            save(striped(colour), folder / "striped" / f"{colour} striped.png")
        if kinds > 2:
            save(checked(colour), folder / "striped" / "checked" / f"{colour} checked.png")
    return folder


def truncated_jpeg() -> bytes:
    """The first half of a JPEG file."""
    whole = content(checked("red", (200, 200)), "JPEG")
    return whole[: len(whole) // 2]


def bomb_png(side: int = 60_000) -> bytes:
    """A few bytes that claim to be an enormous picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


BAD_FILES = {
    "text.jpg": b"just some words, not a picture\n",
    "truncated.jpg": truncated_jpeg(),
    "empty.png": b"",
    "bomb.png": bomb_png(),
}
"""File name -> content that no reader takes for a picture."""


def spoil_album(folder: Path) -> list[str]:
    """Put every bad file into the folder; their names, sorted."""
    for name, data in BAD_FILES.items():
        (folder / name).write_bytes(data)
    return sorted(BAD_FILES)
