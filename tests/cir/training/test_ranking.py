from collections.abc import Sequence
from dataclasses import replace
from zlib import crc32

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.cir.training.drawn_products import draw_products
from tests.needs import needs

needs("torch", "training needs requirements-dev.txt")

import torch  # noqa: E402

from cir.training.attribute_space import FLOOR, AttributeSpace  # noqa: E402
from cir.training.attributes import attribute_sizes  # noqa: E402
from cir.training.batch import Wanted  # noqa: E402
from cir.training.products import FEATURES, Products, read_products  # noqa: E402
from cir.training.questions import Asked, Questions  # noqa: E402
from cir.training.ranking import (  # noqa: E402
    _ranked,
    counted_readings,
    fit_ranking,
    ranking_loss,
)
from cir.training.settings import TrainingSettings  # noqa: E402
from cir.training.wishes import Wishes  # noqa: E402

WIDTH = 128
SETTINGS = TrainingSettings(batch=32, imagined=8, filled=0.0)


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Products:
    return read_products(*draw_products(tmp_path_factory.mktemp("drawn")))


@pytest.fixture(scope="module")
def questions(products: Products) -> Questions:
    """Read in two variants: the colour right, the gender by chance, all else right."""
    sizes = attribute_sizes(products)
    random = np.random.default_rng(0)
    readings = [_read(products, sizes, random) for _ in range(2)]
    rows = np.arange(len(products))
    return Questions(products, rows, np.stack(readings), ["something"], SETTINGS)


def _read(
    products: Products, sizes: dict[str, int], random: np.random.Generator
) -> NDArray[np.float16]:
    parts = []
    for name, size in sizes.items():
        codes = products.codes[name]
        codes = random.permutation(codes) if name == "gender" else codes
        parts.append(0.9 * np.eye(size)[codes] + 0.1 / size)
    return np.concatenate([*parts, products.features], axis=1).astype(np.float16)


def words(texts: Sequence[str]) -> torch.Tensor:
    """Which words are in each text: `(n, WIDTH)`."""
    rows = torch.zeros(len(texts), WIDTH)
    for row, text in zip(rows, texts, strict=True):
        row[[crc32(word.strip("?!.,").encode()) % WIDTH for word in text.lower().split()]] = 1.0
    return rows


@pytest.fixture(scope="module")
def taught(products: Products, questions: Questions) -> Wishes:
    """Wishes that have learned from texts."""
    torch.manual_seed(0)
    random = np.random.default_rng(1)
    wishes = Wishes(attribute_sizes(products), WIDTH)
    optimiser = torch.optim.Adam(wishes.parameters(), 0.02)
    for _ in range(120):
        asked = questions.asked(questions.batch(random), random)
        known = {name: torch.from_numpy(each) for name, each in asked.known.items()}
        shown = torch.from_numpy(asked.shown).float()
        loss = wishes.loss(words(asked.texts), shown, asked.wanted, known)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    return wishes


def test_what_is_often_misread_counts_less_and_the_ranking_gets_better(
    products: Products, questions: Questions, taught: Wishes
) -> None:
    sizes = attribute_sizes(products)
    space = AttributeSpace(sizes)

    def loss_of(space: AttributeSpace) -> float:
        random = np.random.default_rng(7)
        asked = questions.asked(questions.batch(random), random)
        rows = questions.makers[0].rows
        right = np.stack([questions.makers[0].satisfies(each)[rows] for each in asked.wanted])
        wished = space.weighted(taught(words(asked.texts), torch.from_numpy(asked.shown).float()))
        gallery = torch.from_numpy(questions.readings[0, rows]).float()
        scores = 11 * wished @ space.likelihoods(gallery).T
        with torch.no_grad():
            return float(
                ranking_loss(
                    scores, torch.from_numpy(right), torch.zeros_like(scores, dtype=torch.bool)
                )
            )

    before = loss_of(space)
    fit_ranking(taught, space, questions, words, 60, np.random.default_rng(2))
    assert loss_of(space) < before
    weights = dict(zip([*sizes, "features"], space.log_weights.exp().tolist(), strict=True))
    assert weights["gender"] < 0.8 * weights["baseColour"]
    assert np.mean(list(weights.values())) == pytest.approx(1.0, abs=1e-4)
    assert taught.sources_by_picture.any()
    assert (space.log_floors - np.log(FLOOR)).abs().min() > 0
    assert not any(each.requires_grad for each in [*taught.parameters(), *space.parameters()])


def test_photos_are_ranked_among_photos_and_drawings_among_drawings(
    products: Products, questions: Questions
) -> None:
    count = len(products)
    drawn = np.arange(count) % 2 == 1
    of_both = Questions(
        replace(products, drawn=drawn), np.arange(count), questions.readings, [""], SETTINGS
    )
    asked = Asked(
        texts=["in red"] * 3,
        wanted=[Wanted({"articleType": int(products.codes["articleType"][0])})] * 3,
        references=np.array([3, 5, 4]),
        has_image=np.array([True, False, True]),
        shown=np.zeros((3, questions.readings.shape[2]), np.float16),
        known={},
    )
    gallery, right, hidden = _ranked(
        of_both, asked, np.random.default_rng(0), np.random.default_rng(0)
    )
    rows = np.flatnonzero(drawn)
    assert any(np.array_equal(gallery, each[rows].astype(np.float32)) for each in of_both.readings)
    same = products.codes["articleType"][rows] == products.codes["articleType"][0]
    assert np.array_equal(right[:2], [same, same])
    assert not right[2].any()  # a photo is not ranked among drawings
    assert [rows[each].tolist() for each in hidden.numpy()] == [[3], [], []]


def test_what_a_drawing_keeps_is_given_up_now_and_then(
    products: Products, questions: Questions
) -> None:
    count = len(products)
    drawings = replace(products, drawn=np.ones(count, np.bool_))
    asked_of = Questions(drawings, np.arange(count), questions.readings, [""], SETTINGS)
    kept = {name: int(products.codes[name][0]) for name in ("articleType", "baseColour")}
    asked = Asked(
        texts=["striped"] * 20,
        wanted=[Wanted(kept)] * 20,
        references=np.zeros(20, np.int64),
        has_image=np.ones(20, np.bool_),
        shown=np.zeros((20, questions.readings.shape[2]), np.float16),
        known={},
    )
    random = np.random.default_rng(0)
    _, right, hidden = _ranked(asked_of, asked, random, random)
    alike = products.codes["articleType"] == kept["articleType"]
    exact = alike & (products.codes["baseColour"] == kept["baseColour"])
    for of_one, too_right in zip(right.numpy(), hidden.numpy(), strict=True):
        own_alone = too_right.sum() == 1
        assert np.array_equal(of_one, exact if own_alone else alike)
        assert own_alone or np.array_equal(too_right, exact)
    assert 0 < (hidden.sum(dim=1) > 1).sum() < 20


def test_each_right_picture_is_held_against_all_wrong_ones_that_are_not_hidden() -> None:
    scores = torch.tensor([[2.0, 1.0, 0.5, 9.0], [0.3, 0.2, 0.1, 0.0]])
    right = torch.tensor([[True, True, False, False], [False] * 4])
    hidden = torch.tensor([[False, False, False, True], [False] * 4])
    each = [-np.log(np.exp(s) / (np.exp(s) + np.exp(0.5))) for s in (2.0, 1.0)]
    assert float(ranking_loss(scores, right, hidden)) == pytest.approx(np.mean(each), abs=1e-5)


def test_a_batch_without_a_right_picture_teaches_nothing() -> None:
    scores = torch.randn(3, 5, requires_grad=True)
    none = torch.zeros(3, 5, dtype=torch.bool)
    loss = ranking_loss(scores, none, none)
    torch.autograd.backward(loss)
    assert float(loss.detach()) == 0
    assert scores.grad is not None
    assert not scores.grad.any()


def test_slots_count_in_drawings_alone() -> None:
    space = AttributeSpace({"articleType": 2, "pattern": 3})
    readings = np.full((2, 2, 5 + len(FEATURES)), 0.5, np.float16)
    counted = counted_readings(space, readings, np.array([False, True]))
    assert not counted[:, 0, 2:5].any()
    counted[:, 0, 2:5] = 0.5
    assert np.array_equal(counted, readings)
