"""Whole pictures, centred on white."""

import numpy as np
import pytest

from cir.encoders.compact.preprocess import pixels
from tests.drawn import solid

SIDE = 224


@pytest.mark.parametrize(("size", "box"), [((100, 50), (224, 112)), ((50, 100), (112, 224))])
def test_a_picture_keeps_its_shape(size: tuple[int, int], box: tuple[int, int]) -> None:
    (row,) = pixels([solid("red", size)], SIDE)
    assert row.shape == (SIDE, SIDE, 3) and row.dtype == np.uint8
    red = (row == (255, 0, 0)).all(axis=2)
    assert (red.any(axis=0).sum(), red.any(axis=1).sum()) == box
    assert (row[~red] == 255).all()
    assert red[SIDE // 2, SIDE // 2] and (red == red[::-1, ::-1]).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 2000), (2000, 1), (223, 224), (225, 3)])
def test_any_size_fits(size: tuple[int, int]) -> None:
    assert pixels([solid("red", size)], SIDE).shape == (1, SIDE, SIDE, 3)


def test_no_picture_gives_no_row() -> None:
    assert pixels([], SIDE).shape == (0, SIDE, SIDE, 3)
