"""Whole pictures, centred on white."""

import numpy as np
import pytest

from cir.encoders.compact.preprocess import SIDE, pixels
from tests.drawn import solid


@pytest.mark.parametrize(("size", "box"), [((100, 50), (160, 80)), ((50, 100), (80, 160))])
def test_a_picture_keeps_its_shape(size: tuple[int, int], box: tuple[int, int]) -> None:
    (row,) = pixels([solid("red", size)])
    assert row.shape == (SIDE, SIDE, 3) and row.dtype == np.uint8
    red = (row == (255, 0, 0)).all(axis=2)
    assert (red.any(axis=0).sum(), red.any(axis=1).sum()) == box
    assert (row[~red] == 255).all()
    assert red[SIDE // 2, SIDE // 2] and (red == red[::-1, ::-1]).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 2000), (2000, 1), (159, 160), (161, 3)])
def test_any_size_fits(size: tuple[int, int]) -> None:
    assert pixels([solid("red", size)]).shape == (1, SIDE, SIDE, 3)


def test_no_picture_gives_no_row() -> None:
    assert pixels([]).shape == (0, SIDE, SIDE, 3)
