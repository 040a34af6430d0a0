"""Pictures made to take much memory or to start programs: decoded within a bound, or refused."""

import io
import os
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cir import images
from cir.errors import ImageError
from cir.images import decode, is_thumbnail
from tests.drawn import content, solid

pytestmark = pytest.mark.filterwarnings("ignore")

BOUND_MB = 640
SIDE = 10_000
"""A picture of this side has as many pixels as one may have."""

# A process of its own: the peak of a process never falls.
PEAK = """
import resource, sys
from cir.errors import ImageError
from cir.images import decode
decode(open(sys.argv[2], "rb").read())  # what Pillow loads for good
data = open(sys.argv[1], "rb").read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    picture = decode(data)
    print("decoded", picture.width, picture.height)
except ImageError as error:
    print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def peak(data: bytes, folder: Path) -> tuple[str, int]:
    """What became of decoding the content, and the megabytes that it took at most."""
    paths = [folder / "measured", folder / "small.png"]
    for path, each in zip(paths, [data, content(solid("red"))], strict=True):
        path.write_bytes(each)
    command = [sys.executable, "-c", PEAK, *map(str, paths)]
    said, megabytes = subprocess.check_output(command, text=True).splitlines()
    return said, int(megabytes)


def blank(mode: str, kind: str = "PNG", **options: object) -> bytes:
    return content(Image.new(mode, (SIDE, SIDE)), kind, **options)


def grey_of_sixteen_bits() -> bytes:
    return content(Image.fromarray(np.zeros((SIDE, SIDE), np.uint16)))


def tiff(tags: list[tuple[int, int, int, int | None]], body: bytes) -> bytes:
    """A TIFF with these tags (number, type, count, value; None for the place of the body)."""
    place = 8 + 2 + len(tags) * 12 + 4
    head = b"II*\0" + struct.pack("<LH", 8, len(tags))
    entries = [struct.pack("<HHLL", *tag[:3], place if tag[3] is None else tag[3]) for tag in tags]
    return head + b"".join(entries) + bytes(4) + body


def huge_tile() -> bytes:
    """A picture of 10 x 10 pixels cut out of one tile of 900 megapixels."""
    body = zlib.compress(bytes(30_000 * 30_000), 9)
    tags = [(256, 3, 1, 10), (257, 3, 1, 10), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1)]
    tiles = [(322, 4, 1, 30_000), (323, 4, 1, 30_000), (324, 4, 1, None), (325, 4, 1, len(body))]
    return tiff([*tags, *tiles], body)


def many_strips(count: int) -> bytes:
    """A picture of one column whose every row is a strip, all at one place."""
    tags = [(256, 3, 1, 1), (257, 4, 1, count), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    strips = [(273, 3, count, None), (278, 3, 1, 1)]
    return tiff([*tags, *strips], b"\x08\0" * count)


DECODED: dict[str, Callable[[], bytes]] = {
    "palette": lambda: blank("P"),
    "palette with transparency": lambda: blank("P", transparency=0),
    "animation with transparency": lambda: blank("P", "GIF", transparency=0),
    "sixteen bits": grey_of_sixteen_bits,
    "transparent": lambda: blank("RGBA"),
    "colours": lambda: blank("RGB"),
    "photo": lambda: blank("RGB", "JPEG"),
    "progressive photo": lambda: blank("RGB", "JPEG", progressive=True, subsampling=0),
}


@pytest.mark.skipif(sys.platform != "linux", reason="counts the peak in kilobytes")
@pytest.mark.parametrize("name", DECODED)
def test_the_largest_pictures_are_decoded_in_bounded_memory(name: str, tmp_path: Path) -> None:
    said, megabytes = peak(DECODED[name](), tmp_path)
    assert said == f"decoded {SIDE} {SIDE}"
    assert megabytes < BOUND_MB


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "WebP": (lambda: content(Image.new("RGB", (8000, 8000)), "WEBP"), "40 megapixels"),
    "AVIF": (lambda: content(Image.new("L", (6000, 6000)), "AVIF", speed=10), "32 megapixels"),
    "a row": (lambda: content(Image.new("L", (50_000_000, 1))), "16 megapixels"),
    "a tile": (huge_tile, "too large to decode"),
    "strips": (lambda: many_strips(3_000_000), "more pieces"),
    "a bitmap": (lambda: bitmap(7000), "20 megapixels"),
}


def bitmap(side: int) -> bytes:
    """The head of a compressed bitmap; it holds nothing."""
    head = struct.pack("<LLLHHLLLLLL", 40, side, side, 1, 8, 1, 0, 0, 0, 256, 0)
    place = 14 + len(head) + 1024
    return b"BM" + struct.pack("<LLL", place + 2, 0, place) + head + bytes(1024) + b"\0\1"


@pytest.mark.skipif(sys.platform != "linux", reason="counts the peak in kilobytes")
@pytest.mark.parametrize("name", REFUSED)
def test_what_would_take_more_is_refused_with_its_size_or_reason(name: str, tmp_path: Path) -> None:
    make, reason = REFUSED[name]
    said, megabytes = peak(make(), tmp_path)
    assert reason in said
    assert megabytes < 100


def test_strips_give_the_pixels_that_whole_pictures_give(monkeypatch: pytest.MonkeyPatch) -> None:
    dice = np.random.default_rng(3)
    noise = dice.integers(0, 256, (290, 450, 4), dtype=np.uint8)
    drawn = Image.fromarray(noise).resize((4500, 2900))
    deep = np.asarray(drawn.convert("L")).astype(np.uint16) * 257
    small = Image.fromarray(dice.integers(0, 256, (70, 90, 4), dtype=np.uint8))
    palette = drawn.convert("RGB").convert("P")
    palette.info["transparency"] = 7
    kinds = [drawn, drawn.convert("LA"), palette, palette.convert("RGB").convert("P"), small]
    for image in [*kinds, Image.fromarray(deep), Image.fromarray(deep.astype(np.float32))]:
        monkeypatch.setattr(images, "_STRIP_PIXELS", 10**9)
        whole = images.as_rgb(image)
        monkeypatch.setattr(images, "_STRIP_PIXELS", 30_000)
        assert images.as_rgb(image).tobytes() == whole.tobytes()


def test_flattened_pictures_are_as_pillow_shrinks_them() -> None:
    noise = np.random.default_rng(5).integers(0, 256, (300, 420, 3), dtype=np.uint8)
    palette = Image.fromarray(noise).resize((4200, 3000)).convert("P")
    expected = palette.convert("RGB")
    expected.thumbnail((1024, 1024), Image.Resampling.BICUBIC, reducing_gap=2.0)
    assert decode(content(palette)).image.tobytes() == expected.tobytes()


@pytest.mark.parametrize("kind", ["PPM", "ICO", "TGA", "PCX", "SGI", "JPEG2000", "DIB", "DDS"])
def test_formats_that_nobody_was_promised_are_refused(kind: str) -> None:
    with pytest.raises(ImageError, match="known format"):
        decode(content(solid("red"), kind))


def test_no_program_is_started_for_a_drawing_called_jpg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = tmp_path / "started"
    program = tmp_path / "gs"
    program.write_text(f"#!/bin/sh\necho > {started}\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    path = tmp_path / "a.jpg"
    path.write_bytes(content(solid("red"), "EPS"))
    with pytest.raises(ImageError, match=r"a\.jpg: .* known format"):
        images.open_image(path)
    assert not started.exists()


def test_photos_of_phones_that_hold_a_second_picture_are_read() -> None:
    data = content(solid("red"), "MPO", save_all=True, append_images=[solid("blue")])
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "MPO"
    picture = decode(data)
    assert picture.image.size == (48, 36)
    assert np.asarray(picture.image)[9, 9].argmax() == 0


def test_scans_that_come_one_by_one_count_as_memory() -> None:
    whole = content(Image.new("CMYK", (9800, 9800)), "JPEG")  # a scan of four bands
    with Image.open(io.BytesIO(whole)) as image:
        assert images._decoding_bytes(image, whole, *image.size) < 10**9
        alone = whole.replace(b"\xff\xda\0\x0e\4", b"\xff\xda\0\x08\1", 1)
        assert images._decoding_bytes(image, alone, *image.size) > 8 * 9800**2
    with pytest.raises(ImageError, match="megapixels"):
        decode(alone)


def test_large_pictures_are_decoded_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    under_way, most = 0, 0
    lock = threading.Lock()
    real = images._picture

    def counted(image: Image.Image, width: int, height: int) -> images.Picture:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        try:
            return real(image, width, height)
        finally:
            with lock:
                under_way -= 1

    monkeypatch.setattr(images, "_picture", counted)
    monkeypatch.setattr(images, "LARGE_BYTES", 1000)
    data = content(solid("red", (2000, 2000)))
    threads = [threading.Thread(target=decode, args=(data,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_only_small_jpegs_pass_for_thumbnails() -> None:
    assert is_thumbnail(content(solid("red"), "JPEG"))
    for other in (content(solid("red"), "EPS"), content(solid("red", (1030, 9)), "JPEG"), b"no"):
        assert not is_thumbnail(other)
