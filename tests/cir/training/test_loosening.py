from pathlib import Path

import numpy as np
import pytest

from tests.needs import needs

needs("torch", "training needs requirements-dev.txt")

from cir.training.batch import Wanted  # noqa: E402
from cir.training.letters import FEATURE_NAMES  # noqa: E402
from cir.training.loosening import right_and_hidden, with_slots  # noqa: E402
from cir.training.products import FEATURES, SLOTS, Products  # noqa: E402
from cir.training.questions import Asked  # noqa: E402
from cir.training.triplets import TripletMaker  # noqa: E402

VALUES = {
    "articleType": ("Dresses", "Shirts"), "gender": ("Women",), "baseColour": ("Green", "Red"),
    "season": ("Summer",), "usage": ("Casual",),
    "pattern": ("solid", "striped"), "sleeve": ("long", "short sleeve"),
    "neckline": ("crew",), "length": ("midi",),
}  # fmt: skip
DESIGNS = [  # type, colour, pattern, sleeve
    (0, 0, 0, 0), (0, 0, 0, 1), (0, 1, 0, 0), (0, 1, 1, 0), (1, 1, 0, 0), (0, 0, 1, 0),
]  # fmt: skip
DESIGN_COLUMNS = ("articleType", "baseColour", "pattern", "sleeve")
STRIPED = FEATURE_NAMES.index("striped")


@pytest.fixture
def products() -> Products:
    designs = np.array(DESIGNS)
    codes = {name: np.zeros(len(designs), np.int64) for name in VALUES}
    codes |= {name: designs[:, at] for at, name in enumerate(DESIGN_COLUMNS)}
    features = np.zeros((len(designs), len(FEATURES)), np.bool_)
    features[:, STRIPED] = codes["pattern"] == 1
    count = len(designs)
    return Products(
        [str(row) for row in range(count)],
        [Path(str(row)) for row in range(count)],
        [""] * count,
        codes,
        VALUES,
        features,
        np.ones(count, np.bool_),
    )


def asked(wanted: Wanted, count: int = 1, has_image: bool = True) -> Asked:
    """As many queries with the first design."""
    return Asked(
        ["?"] * count,
        [wanted] * count,
        np.zeros(count, np.int64),
        np.full(count, has_image),
        np.zeros((count, 1), np.float16),
        {},
    )


def test_a_feature_asked_of_a_drawing_names_the_slot_that_it_fills(products: Products) -> None:
    wanted = Wanted({"articleType": 0, "sleeve": 0}, (STRIPED,))
    [named] = with_slots(asked(wanted), products).wanted
    assert named == Wanted({"articleType": 0, "sleeve": 0, "pattern": 1}, (STRIPED,))
    products.drawn[:] = False
    assert with_slots(asked(wanted), products).wanted == [wanted]


def test_what_is_asked_and_the_type_stay_where_something_kept_is_given_up(
    products: Products,
) -> None:
    maker = TripletMaker(products, np.arange(len(products)), drawn=True)
    in_red = Wanted({"articleType": 0, "baseColour": 1, **dict.fromkeys(SLOTS, 0)})
    right, hidden = right_and_hidden(asked(in_red, 60), maker, np.random.default_rng(0))
    got = {
        (tuple(np.flatnonzero(of_one).tolist()), tuple(np.flatnonzero(too_right).tolist()))
        for of_one, too_right in zip(right, hidden, strict=True)
    }
    # Nothing given up, the pattern among what is, anything else: always red dresses, and only
    # where something was given up is the one that has all of it hidden.
    assert got == {((2,), ()), ((2, 3), (2,)), ((2,), (2,))}


@pytest.mark.parametrize("photos", [False, True])
def test_photos_and_queries_without_a_picture_keep_all(products: Products, photos: bool) -> None:
    products.drawn[:] = not photos
    maker = TripletMaker(products, np.arange(len(products)), drawn=not photos)
    wanted = Wanted({"articleType": 0, "baseColour": 0, "sleeve": 0})
    queries = asked(wanted, 20, has_image=photos)
    right, hidden = right_and_hidden(queries, maker, np.random.default_rng(0))
    assert np.array_equal(right, np.tile(maker.satisfies(wanted), (20, 1)))
    assert not hidden.any()
