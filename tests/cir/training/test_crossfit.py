from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.needs import needs

needs("onnxscript", "training needs requirements-dev.txt")

from cir.training.crossfit import _halves, crossfitted_readings  # noqa: E402
from cir.training.features import Early, Half, cached_early  # noqa: E402
from cir.training.lessons import Lessons  # noqa: E402
from cir.training.products import Products, read_products  # noqa: E402
from cir.training.tower import imagenet_tower  # noqa: E402
from tests.cir.training.drawn_products import draw_products  # noqa: E402

ROWS = np.arange(0, 40)


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Products:
    return read_products(*draw_products(tmp_path_factory.mktemp("drawn")))


@pytest.fixture(scope="module")
def early(products: Products, tmp_path_factory: pytest.TempPathFactory) -> Early:
    folder = tmp_path_factory.mktemp("features")
    return cached_early(imagenet_tower(), products.photos, folder, seed=1)


def read(products: Products, early: Early, work: Path, **identity: object) -> Half:
    return crossfitted_readings(
        products, early, ROWS, Lessons(epochs=1), seed=1, work=work, identity=identity
    )


def test_every_row_is_read_in_every_variant_and_no_other(
    products: Products, early: Early, tmp_path: Path
) -> None:
    readings = read(products, early, tmp_path)
    assert readings.shape[:2] == (len(early.deep), len(products))
    genders = products.values["gender"]
    first = len(products.values["articleType"])
    sums = readings[:, :, first : first + len(genders)].sum(axis=2, dtype=np.float32)
    assert np.allclose(sums[:, ROWS], 1, atol=1e-2)
    assert not readings[:, ROWS[-1] + 1 :].any()


def test_a_row_is_read_by_what_was_not_taught_on_it(
    products: Products, early: Early, tmp_path: Path
) -> None:
    half, other = _halves(products, ROWS, seed=1)
    colours = products.codes["baseColour"].copy()
    colours[half] = 0
    changed = replace(products, codes={**products.codes, "baseColour": colours})
    (tmp_path / "changed").mkdir()
    plain = read(products, early, tmp_path)
    taught_otherwise = read(changed, early, tmp_path / "changed")
    assert np.array_equal(plain[:, half], taught_otherwise[:, half])
    assert not np.array_equal(plain[:, other], taught_otherwise[:, other])


def test_readings_are_computed_once_for_one_identity(
    products: Products, early: Early, tmp_path: Path
) -> None:
    first = read(products, early, tmp_path, data="a")
    for checkpoint in tmp_path.glob("lessons-half-*"):
        checkpoint.unlink()
    assert np.array_equal(read(products, early, tmp_path, data="a"), first)
    assert not list(tmp_path.glob("lessons-half-*"))
    read(products, early, tmp_path, data="b")
    assert len(list(tmp_path.glob("lessons-half-*"))) == 2


def test_halves_share_no_row_and_no_name(products: Products) -> None:
    names_of = [f"{row // 3}" for row in range(len(products))]
    first, second = _halves(replace(products, names=names_of), ROWS, seed=3)
    assert sorted([*first, *second]) == ROWS.tolist()
    assert min(len(first), len(second)) > len(ROWS) // 3
    names = [{names_of[row] for row in half} for half in (first, second)]
    assert not names[0] & names[1]
