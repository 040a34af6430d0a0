import numpy as np
import pytest

from cir.training.phrases import TEMPLATES, instruction
from cir.training.products import Products, read_products
from cir.training.triplets import CHANGED, KEPT, TripletMaker
from tests.cir.training.drawn_products import draw_products


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Products:
    return read_products(*draw_products(tmp_path_factory.mktemp("drawn")))


@pytest.fixture
def maker(products: Products) -> TripletMaker:
    return TripletMaker(products, np.arange(len(products)))


def test_a_target_keeps_and_changes_what_its_kind_says(
    products: Products, maker: TripletMaker
) -> None:
    batch = maker.batch(512, np.random.default_rng(1))
    assert set(batch.kinds) >= {"baseColour", "articleType", "gender", "feature"}
    for reference, target, kind in zip(batch.references, batch.targets, batch.kinds, strict=True):
        if kind == "caption":
            continue
        for name in KEPT[kind]:
            assert products.codes[name][reference] == products.codes[name][target]
        for name in CHANGED.get(kind, ()):
            assert products.codes[name][reference] != products.codes[name][target]


def test_every_query_has_its_own_target_among_the_positives(maker: TripletMaker) -> None:
    batch = maker.batch(128, np.random.default_rng(2))
    assert batch.positive.diagonal().all()
    assert not batch.positive.all()


def test_only_image_only_queries_have_no_text(maker: TripletMaker) -> None:
    batch = maker.batch(512, np.random.default_rng(3))
    for text, kind, has_image in zip(batch.texts, batch.kinds, batch.has_image, strict=True):
        assert (text == "") == (kind == "similar")
        assert has_image == (kind != "caption")


def test_the_same_seed_draws_the_same_batch(maker: TripletMaker) -> None:
    first, second = (maker.batch(64, np.random.default_rng(4)) for _ in range(2))
    assert first.texts == second.texts
    assert (first.targets == second.targets).all()


def test_rows_outside_the_given_ones_are_never_drawn(products: Products) -> None:
    rows = np.arange(0, len(products), 2)
    batch = TripletMaker(products, rows).batch(128, np.random.default_rng(5))
    assert set(batch.references) | set(batch.targets) <= set(rows.tolist())


@pytest.mark.parametrize("kind", TEMPLATES)
def test_every_template_can_be_filled(kind: str) -> None:
    values = {"c": "Red", "t": "Shirts", "g": "Men", "f": "striped", "u": "Casual", "s": "Fall"}
    random = np.random.default_rng(6)
    texts = {instruction(kind, values, random) for _ in range(400)}
    assert len(texts) >= len(TEMPLATES[kind])
    assert not any("{" in text for text in texts)
