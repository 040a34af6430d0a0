"""Files become upright RGB pictures, or one sentence that says why not."""

import io
import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from cir import images
from cir.errors import ImageError
from cir.images import (
    content_hash,
    decode,
    open_image,
    open_reference,
    part_of,
    read_bytes,
    thumbnail,
)
from tests.drawn import BAD_FILES, bomb_png, checked, content, solid, striped

# As in the program, where one filter for the process does it.
pytestmark = pytest.mark.filterwarnings("ignore")

FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"]
RED, WHITE = (255, 0, 0), (255, 255, 255)
Transpose = Image.Transpose
# What a camera does to an upright picture before it writes the tag.
CAMERA = {
    1: None,
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_90,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_270,
}


def middle(image: Image.Image) -> tuple[int, int, int]:
    """The colour in the middle."""
    red, green, blue = np.asarray(image)[image.height // 2, image.width // 2]
    return int(red), int(green), int(blue)


def near(one: tuple[int, ...], other: tuple[int, ...], by: int = 6) -> bool:
    return all(abs(a - b) <= by for a, b in zip(one, other, strict=True))


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = orientation
    return tags


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_read_as_rgb(kind: str) -> None:
    picture = decode(content(solid("red"), kind))
    assert picture.image.mode == "RGB"
    assert (picture.width, picture.height) == picture.image.size == (48, 36)
    assert near(middle(picture.image), RED)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_does_not_turn_white(kind: str) -> None:
    grey = Image.fromarray(np.full((20, 20), 0x8000, dtype=np.uint16))
    assert near(middle(decode(content(grey, kind)).image), (128, 128, 128), by=1)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.full((4, 4), 0.5, np.float32), 127),
        (np.full((4, 4), 100.0, np.float32), 100),
        (np.full((4, 4), np.nan, np.float32), 0),
        (np.array([[0, 1 << 30], [1 << 30, 1 << 30]], np.int32), 255),
    ],
    ids=["0 to 1", "0 to 255", "no number", "32 bits"],
)
def test_grey_of_other_depths_keeps_its_range(
    values: "np.ndarray[tuple[int, int], np.dtype[np.float32]]", expected: int
) -> None:
    image = decode(content(Image.fromarray(values), "TIFF")).image
    assert image.getpixel((1, 1)) == (expected,) * 3


def test_cmyk_jpeg_keeps_its_colour() -> None:
    image = Image.new("CMYK", (30, 30), (0, 255, 255, 0))
    assert near(middle(decode(content(image, "JPEG")).image), RED, by=12)


def test_transparency_is_laid_on_white() -> None:
    palette = solid("red").convert("P")
    clear = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    grey = Image.new("LA", (20, 20), (0, 0))
    key = content(solid("red"), transparency=RED)
    index = palette.getpixel((0, 0))
    for data in (content(palette, transparency=index), content(clear), content(grey), key):
        assert middle(decode(data).image) == WHITE
    half = decode(content(Image.new("LA", (20, 20), (0, 128)))).image
    assert near(middle(half), (127, 127, 127), by=1)


def test_one_bit_pictures_keep_black_and_white() -> None:
    image = Image.new("1", (20, 20), 0)
    image.paste(1, (0, 0, 10, 20))
    decoded = decode(content(image)).image
    assert (decoded.getpixel((2, 2)), decoded.getpixel((17, 2))) == (WHITE, (0, 0, 0))


def test_an_animation_gives_its_first_frame() -> None:
    data = content(solid("red"), "GIF", save_all=True, append_images=[solid("blue")])
    assert near(middle(decode(data).image), RED)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", CAMERA)
def test_photos_stand_upright(orientation: int, kind: str) -> None:
    upright = solid("white", (64, 32))
    upright.paste("red", (0, 0, 24, 12))
    turn = CAMERA[orientation]
    taken = upright.transpose(turn) if turn is not None else upright
    picture = decode(content(taken, kind, exif=exif(orientation)))
    assert (picture.width, picture.height) == picture.image.size == upright.size
    assert near(picture.image.getpixel((8, 4)), RED, by=40)  # type: ignore[arg-type]
    assert near(picture.image.getpixel((56, 28)), WHITE, by=40)  # type: ignore[arg-type]


def test_almost_square_photos_swap_width_and_height() -> None:
    # Decoded at a fraction, this one is a square.
    picture = decode(content(solid("red", (2400, 2399)), "JPEG", exif=exif(6)))
    assert (picture.width, picture.height) == (2399, 2400)


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_senseless_orientations_do_not_matter(orientation: int) -> None:
    picture = decode(content(solid("red"), "JPEG", exif=exif(orientation)))
    assert (picture.width, picture.height) == (48, 36)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK"])
def test_large_pictures_shrink_but_say_their_size(mode: str) -> None:
    image = solid("red", (2600, 1300)).convert(mode)
    picture = decode(content(image, "JPEG" if mode == "CMYK" else "PNG"))
    assert (picture.width, picture.height) == (2600, 1300)
    assert picture.image.size == (1024, 512)


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1)])
def test_extreme_shapes_are_read(size: tuple[int, int]) -> None:
    picture = decode(content(solid("red", size)))
    assert (picture.width, picture.height) == size
    assert min(picture.image.size) == 1
    assert Image.open(io.BytesIO(thumbnail(picture.image))).format == "JPEG"


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_content_is_one_reason(name: str) -> None:
    with pytest.raises(ImageError) as caught:
        decode(BAD_FILES[name])
    assert "\n" not in str(caught.value) and "0x" not in str(caught.value)


def test_a_picture_just_above_the_limit_is_told_the_limit() -> None:
    with pytest.raises(ImageError, match="100 megapixels"):
        decode(bomb_png(11_000))


def damaged(data: bytes, dice: random.Random) -> bytes:
    """The data cut short or with some bytes changed, mostly near its beginning."""
    if dice.random() < 0.3:
        return data[: dice.randrange(1, len(data))]
    spoilt = bytearray(data)
    for _ in range(dice.choice([1, 3, 10])):
        spoilt[dice.randrange(min(len(data), dice.choice([80, 300, 10**9])))] = dice.randrange(256)
    return bytes(spoilt)


@pytest.mark.parametrize("kind", FORMATS)
def test_whatever_is_damaged_gives_a_picture_or_a_reason(kind: str) -> None:
    whole = content(checked("red", (60, 40)), kind, exif=exif(6))
    dice = random.Random(kind)
    for _ in range(150):
        try:
            assert decode(damaged(whole, dice)).image.mode == "RGB"
        except ImageError as error:
            assert str(error)


def test_a_part_is_turned_clockwise_and_then_cropped() -> None:
    picture = Image.new("RGB", (40, 20), "white")
    picture.paste("red", (0, 0, 20, 20))  # the left half
    turned = {turn: part_of(picture, turn) for turn in (0, 90, 180, 270)}
    assert [turned[turn].size for turn in turned] == [(40, 20), (20, 40), (40, 20), (20, 40)]
    halves = {0: (0, 0, 0.5, 1), 90: (0, 0, 1, 0.5), 180: (0.5, 0, 1, 1), 270: (0, 0.5, 1, 1)}
    for turn, box in halves.items():
        part = part_of(picture, turn, box)
        assert part.size[0] * part.size[1] == 400
        assert part.getcolors() == [(400, RED)], turn
    assert part_of(picture, 0, (0.99, 0.999, 1, 1)).size == (1, 1)
    assert part_of(picture, 0, (0.7, 0.7, 0.7001, 0.7001)).size == (1, 1)


def test_thumbnails_are_small_jpegs_of_the_same_shape() -> None:
    image = striped("blue", (800, 400))
    small = Image.open(io.BytesIO(thumbnail(image)))
    assert (small.format, small.size) == ("JPEG", (256, 128))
    assert image.size == (800, 400)


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    for path, reason in [(tmp_path / "none.jpg", "no such file"), (tmp_path, "a folder")]:
        with pytest.raises(ImageError, match=reason) as caught:
            open_image(path)
        assert str(caught.value).startswith(str(path))
    with pytest.raises(ImageError, match="name of a file"):
        read_bytes("nul\0.jpg")


@pytest.mark.parametrize("make", [lambda path: path.write_bytes(bytes(11)), None])
def test_no_more_than_the_limit_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], int] | None
) -> None:
    monkeypatch.setattr(images, "MAX_BYTES", 10)
    path = Path("/dev/zero") if make is None else tmp_path / "large.jpg"
    if make is not None:
        make(path)
    elif not path.exists():
        pytest.skip("no endless file here")
    with pytest.raises(ImageError, match="limit"):
        read_bytes(path)


def test_a_link_that_changes_between_look_and_reading_leads_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = (tmp_path / "root").resolve()
    root.mkdir()
    (tmp_path / "secret.png").write_bytes(b"secret")
    (root / "fine.png").write_bytes(b"fine")
    link = root / "link.png"
    link.symlink_to(tmp_path / "secret.png")
    with pytest.raises(ImageError, match="leads out"):
        read_bytes(link, [root])
    resolve = Path.resolve

    def turned(path: Path, strict: bool = False) -> Path:
        link.unlink()  # the secret is open by now
        link.symlink_to(root / "fine.png")
        return resolve(path, strict)

    monkeypatch.setattr(Path, "resolve", turned)
    with pytest.raises(ImageError, match="leads out"):
        read_bytes(link, [root])
    monkeypatch.undo()
    assert read_bytes(link, [root]) == b"fine"
    assert read_bytes(root / "fine.png", [root]) == b"fine"


def test_a_reference_comes_with_the_hash_of_its_content(tmp_path: Path) -> None:
    data = content(striped("green"))
    path = tmp_path / os.fsdecode("odd ' \" 名 😀.png")
    path.write_bytes(data)
    image, digest = open_reference(path)
    assert image.size == (48, 36)
    assert digest == content_hash(data) != content_hash(data + b" ")
    assert len(digest) == 32
