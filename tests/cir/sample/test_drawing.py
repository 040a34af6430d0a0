"""What the pictures of the sample catalogue look like."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cir.sample.designs import GARMENTS, PATTERNS, Design, catalogue
from cir.sample.drawing import draw

TEE = Design(9001, "t-shirt", "red", "solid", "short", "crew")
DRESS = Design(9002, "dress", "blue", "solid", "sleeveless", "v-neck", "mini")


def pixels(design: Design) -> NDArray[np.float32]:
    return np.asarray(draw(design), dtype=np.float32)


def difference(one: Design, other: Design) -> NDArray[np.float32]:
    """How far apart two pictures are at each pixel, 0 to 255."""
    gap: NDArray[np.float32] = np.abs(pixels(one) - pixels(other)).max(axis=2)
    return gap


def test_the_same_design_gives_the_same_picture() -> None:
    assert draw(TEE).tobytes() == draw(TEE).tobytes()


def test_pictures_have_one_size_and_mode() -> None:
    picture = draw(DRESS)
    assert picture.size == (384, 480)
    assert picture.mode == "RGB"


@pytest.mark.parametrize("garment", GARMENTS)
def test_every_garment_stands_on_a_white_ground_within_the_picture(garment: str) -> None:
    design = next(d for d in catalogue() if d.garment == garment and d.colour != "white")
    shown = pixels(design)
    rim = np.concatenate([shown[:6].reshape(-1, 3), shown[-6:].reshape(-1, 3),
                          shown[:, :6].reshape(-1, 3), shown[:, -6:].reshape(-1, 3)])  # fmt: skip
    assert rim.min() > 225
    covered = (shown.min(axis=2) < 200).mean()
    assert 0.12 < covered < 0.65


def test_colours_are_roughly_what_they_are_called() -> None:
    """Loosely: other versions of the libraries may round otherwise."""
    chest = pixels(TEE)[200:280, 150:230].mean(axis=(0, 1))
    assert np.allclose(chest, [184, 40, 46], atol=30)
    skirt = pixels(DRESS)[270:340, 150:230].mean(axis=(0, 1))
    assert np.allclose(skirt, [87, 136, 184], atol=34)


def test_another_colour_changes_the_garment_and_leaves_the_ground() -> None:
    gap = difference(TEE, replace(TEE, colour="navy blue"))
    assert gap[200:280, 150:230].min() > 40
    assert gap[:20].max() == 0
    assert gap[-20:].max() == 0


@pytest.mark.parametrize("pattern", [name for name in PATTERNS if name != "solid"])
def test_every_pattern_shows(pattern: str) -> None:
    gap = difference(TEE, replace(TEE, pattern=pattern))
    assert (gap > 50).mean() > 0.01
    assert gap[:20].max() == 0


@pytest.mark.parametrize(
    "changed",
    [
        replace(DRESS, sleeve="short"),
        replace(DRESS, sleeve="long"),
        replace(DRESS, neckline="crew"),
        replace(DRESS, neckline="boat neck"),
        replace(DRESS, length="knee-length"),
        replace(DRESS, length="maxi"),
    ],
    ids=lambda design: f"{design.sleeve} {design.neckline} {design.length}",
)
def test_every_cut_shows(changed: Design) -> None:
    assert (difference(DRESS, changed) > 60).mean() > 0.003


def test_patterns_stay_within_the_cloth() -> None:
    plain, striped = pixels(TEE), pixels(replace(TEE, pattern="striped"))
    ground = plain.min(axis=2) > 244
    assert np.abs(plain - striped)[ground].max() < 30  # the rim of the shadow alone


def test_no_two_designs_look_the_same() -> None:
    some = catalogue()[::9]
    small = [np.asarray(draw(d).resize((48, 60)), dtype=np.float32).ravel() for d in some]
    for at, one in enumerate(small):
        for other in small[at + 1 :]:
            assert np.abs(one - other).mean() > 0.4
