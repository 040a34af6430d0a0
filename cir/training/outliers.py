"""Pictures of what the product table has no word for: fields, patterns, shapes, textures."""

import colorsys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps
from tqdm import tqdm

from cir.images import open_image

SEED = 11
PHOTOS_PER_SUBJECT, TONES_PER_SUBJECT = 24, 2
SIDE = 256  # pixels
_QUALITY = 92
Tone = tuple[int, int, int]
Painter = Callable[[Tone], Image.Image]


def outliers(folder: Path, photos: Sequence[Path]) -> list[Path]:
    """The pictures' files, made anew; each subject is there in several colours.

    There are as many subjects as `PHOTOS_PER_SUBJECT` go into the photos, from which textures and
    patches are taken, but one at least.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    subjects = max(1, len(photos) // PHOTOS_PER_SUBJECT)
    for number in tqdm(range(subjects), desc="outliers", unit="subject"):
        random = np.random.default_rng([SEED, number])
        paint = _subject(number, photos, random)
        for version in range(TONES_PER_SUBJECT):
            file = folder / f"{number:04d}-{version}.jpg"
            paint(_tone(random)).save(file, "JPEG", quality=_QUALITY, subsampling=0)
            files.append(file)
    return files


def _tone(random: Generator) -> Tone:
    """Any colour: full ones and grey ones, light and dark."""
    hue, saturation, value = random.random(), random.random() ** 0.5, random.random() ** 0.5
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def _subject(number: int, photos: Sequence[Path], random: Generator) -> Painter:
    kinds: Sequence[Callable[[], Painter]] = (
        lambda: _field(random),
        lambda: _patterned(random),
        lambda: _shapes(random),
        lambda: _shapes(random),
        lambda: _tinted(_texture(random)),
        lambda: _tinted(_scrambled(_photo(photos, random), random)),
        lambda: _tinted(_patch(_photo(photos, random), random, 0.1, 0.22)),
        lambda: _tinted(_collage([_photo(photos, random) for _ in range(4)], random)),
    )
    return kinds[number % len(kinds)]()


def _field(random: Generator) -> Painter:
    """One colour, a little lighter to one side, a little noisy."""
    line = np.linspace(-1, 1, SIDE)
    across, down = random.uniform(-12, 12, size=2)
    light = across * line + down * line[:, None]
    light += random.normal(0, random.uniform(0, 6), light.shape)

    def paint(tone: Tone) -> Image.Image:
        values = np.array(tone) + light[..., None]
        return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))

    return paint


def _patterned(random: Generator) -> Painter:
    """Stripes, checks or dots."""
    pattern = str(random.choice(["striped", "checked", "polka dot"]))
    step = int(random.integers(12, 60))
    wide = step * float(random.uniform(0.3, 0.5))
    upright = bool(random.random() < 0.5)

    def paint(tone: Tone) -> Image.Image:
        other = (245, 243, 238) if max(tone) < 180 or min(tone) < 120 else (25, 25, 30)
        image = Image.new("RGB", (SIDE, SIDE), tone)
        pencil = ImageDraw.Draw(image)
        for at in range(0, SIDE, step):
            if pattern == "striped":
                box = (at, 0, at + wide, SIDE) if upright else (0, at, SIDE, at + wide)
                pencil.rectangle(box, fill=other)
                continue
            draw = pencil.ellipse if pattern == "polka dot" else pencil.rectangle
            for across in range(0, SIDE, step):
                draw((at, across, at + wide, across + wide), fill=other)
        return image

    return paint


def _shapes(random: Generator) -> Painter:
    """One large shape and up to three small ones, on a ground without much colour."""
    level = int(random.choice([250, 240, 215, 125, 35]))
    ground = level + int(random.integers(5)), level, level - int(random.integers(10))
    sizes = [random.uniform(0.25, 0.45), *random.uniform(0.05, 0.2, random.integers(4))]
    outlines = [_outline(float(size), random) for size in sizes]
    rounded = bool(random.random() < 0.3)

    def paint(tone: Tone) -> Image.Image:
        image = Image.new("RGB", (2 * SIDE, 2 * SIDE), ground)
        pencil = ImageDraw.Draw(image)
        for number, outline in enumerate(outlines):
            red, green, blue = (int(each * (1 - 0.15 * number)) for each in tone)
            if rounded:
                pencil.ellipse((*outline.min(axis=0), *outline.max(axis=0)), (red, green, blue))
            else:
                pencil.polygon(outline.ravel().tolist(), (red, green, blue))
        return image.resize((SIDE, SIDE), Image.Resampling.BOX)

    return paint


def _outline(size: float, random: Generator) -> NDArray[np.float64]:
    """`(corners, 2)` of a polygon on a ground of twice the side; `size` is its radius in shares."""
    corners = int(random.integers(3, 14))
    turn = np.sort(random.uniform(0, 2 * np.pi, corners))
    reach = 2 * SIDE * size * random.uniform(0.45, 1.0, corners)
    middle = 2 * SIDE * (0.5 + random.uniform(-0.7, 0.7, 2) * (0.6 - size))
    around = np.stack([np.cos(turn) * reach, np.sin(turn) * reach], axis=1)
    outline: NDArray[np.float64] = middle + random.uniform(0.5, 1.0, 2) * around
    return outline


def _texture(random: Generator) -> Image.Image:
    """Noise of some smoothness, as of clouds, sand or bark."""
    rows, columns = (np.fft.fftfreq(SIDE) * random.uniform(0.3, 1.0) for _ in range(2))
    distance = np.hypot(rows[:, None], columns)
    distance[0, 0] = np.inf
    return _of_spectrum(distance ** -random.uniform(0.4, 2.0), random)


def _scrambled(photo: Image.Image, random: Generator) -> Image.Image:
    """The photo's spectrum with other phases: its texture without its shapes."""
    values = np.asarray(photo.resize((SIDE, SIDE)).convert("L"), dtype=np.float64)
    return _of_spectrum(np.abs(np.fft.fft2(values - values.mean())), random)


def _of_spectrum(strength: NDArray[np.float64], random: Generator) -> Image.Image:
    phases = np.exp(2j * np.pi * random.random(strength.shape))
    values = np.fft.ifft2(strength * phases).real
    low, high = np.percentile(values, (1, 99))
    grey = np.clip((values - low) / (high - low), 0, 1) * 255
    return Image.fromarray(grey.astype(np.uint8))


def _patch(photo: Image.Image, random: Generator, least: float, most: float) -> Image.Image:
    """A square from the middle, its side a share of the photo's: too small to say of what."""
    side = random.uniform(least, most) * min(photo.size)
    left, top = (random.uniform(0.3, 0.7) * each - side / 2 for each in photo.size)
    box = (round(left), round(top), round(left + side), round(top + side))
    return photo.crop(box).convert("L").resize((SIDE, SIDE))


def _collage(photos: Sequence[Image.Image], random: Generator) -> Image.Image:
    """Four larger patches side by side, each turned."""
    whole = Image.new("L", (2 * SIDE, 2 * SIDE))
    for number, photo in enumerate(photos):
        part = _patch(photo, random, 0.2, 0.5).rotate(90 * int(random.integers(4)))
        whole.paste(part, (number % 2 * SIDE, number // 2 * SIDE))
    return whole.resize((SIDE, SIDE))


def _tinted(grey: Image.Image) -> Painter:
    """Dark, middle and light of one hue."""
    even = ImageOps.autocontrast(grey, cutoff=1)

    def paint(tone: Tone) -> Image.Image:
        red, green, blue = tone
        light = 255 - (255 - red) // 3, 255 - (255 - green) // 3, 255 - (255 - blue) // 3
        return ImageOps.colorize(even, (red // 4, green // 4, blue // 4), light, mid=tone)

    return paint


def _photo(photos: Sequence[Path], random: Generator) -> Image.Image:
    return open_image(photos[int(random.integers(len(photos)))])
