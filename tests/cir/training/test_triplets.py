import numpy as np
import pytest

from cir.training.drawings import drawn_frame, training_designs
from cir.training.kinds import CHANGED, KEPT
from cir.training.products import FEATURES, SLOTS, Products, read_products
from cir.training.triplets import TripletMaker
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
        if kind in {"caption", "image"}:
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
        assert (text == "") == (kind == "image")
        assert has_image == (kind != "caption")


def test_the_same_seed_draws_the_same_batch(maker: TripletMaker) -> None:
    first, second = (maker.batch(64, np.random.default_rng(4)) for _ in range(2))
    assert first.texts == second.texts
    assert (first.targets == second.targets).all()


def test_a_product_name_wishes_the_features_that_it_states(
    products: Products, maker: TripletMaker
) -> None:
    batch = maker.batch(2048, np.random.default_rng(7))
    named = [
        (row, wanted)
        for row, text, wanted in zip(batch.references, batch.texts, batch.wanted, strict=True)
        if text == products.names[row]
    ]
    assert named
    for row, wanted in named:
        assert wanted.features == tuple(np.flatnonzero(products.features[row]))


def test_imagined_triplets_wish_what_no_product_need_have(
    products: Products, maker: TripletMaker
) -> None:
    random = np.random.default_rng(6)
    drawn = [maker.imagined(random) for _ in range(200)]
    for each in drawn:
        for name in KEPT[each.kind]:
            assert each.wanted.codes[name] == products.codes[name][each.reference]
        for name in CHANGED.get(each.kind, ()):
            assert each.wanted.codes[name] != products.codes[name][each.reference]
        assert ("feature" in each.kind) == bool(each.wanted.features)
        assert not any(products.features[each.reference, column] for column in each.wanted.features)
    assert not all(maker.satisfies(each.wanted).any() for each in drawn)


def test_rows_outside_the_given_ones_are_never_drawn(products: Products) -> None:
    rows = np.arange(0, len(products), 2)
    batch = TripletMaker(products, rows).batch(128, np.random.default_rng(5))
    assert set(batch.references) | set(batch.targets) <= set(rows.tolist())


def test_what_is_not_wanted_is_not_among_the_right_answers(
    products: Products, maker: TripletMaker
) -> None:
    random = np.random.default_rng(6)
    stripes = list(FEATURES).index("striped")
    seen = set()
    for row in range(len(products)):
        for kind in ("not colour", "no feature"):
            triplet = maker.composed(row, random, kind)
            if triplet is None:
                continue
            seen.add(kind)
            right = maker.satisfies(triplet.wanted)
            assert right[triplet.target]
            if kind == "not colour":
                own = products.codes["baseColour"][row]
                assert not (products.codes["baseColour"][right] == own).any()
            elif products.features[row, stripes]:
                assert not products.features[right, stripes].any()
    assert seen == {"not colour", "no feature"}


def test_captions_count_all_that_fulfils_what_they_say(maker: TripletMaker) -> None:
    batch = maker.batch(512, np.random.default_rng(7))
    counts = [
        row.sum()
        for row, kind in zip(batch.positive, batch.kinds, strict=True)
        if kind == "caption"
    ]
    assert max(counts) > min(counts) >= 1


@pytest.fixture(scope="module")
def designs(tmp_path_factory: pytest.TempPathFactory) -> Products:
    folder = tmp_path_factory.mktemp("designs")
    chosen = [each for each in training_designs() if each.garment in {"skirt", "shorts"}]
    rows = [each for each in chosen if each.colour in {"red", "blue", "green"}]
    return read_products(*draw_products(folder), drawn_frame(folder / "drawn", rows))


def test_a_drawn_target_keeps_all_that_is_not_changed(designs: Products) -> None:
    maker = TripletMaker(designs, np.arange(len(designs)), drawn=True)
    batch = maker.batch(256, np.random.default_rng(8))
    assert {"baseColour", "feature", "articleType"} <= set(batch.kinds)
    for reference, target, kind in zip(batch.references, batch.targets, batch.kinds, strict=True):
        assert designs.drawn[reference] and designs.drawn[target]
        if kind == "feature":
            assert designs.codes["baseColour"][reference] == designs.codes["baseColour"][target]
            changed = [
                name
                for name in SLOTS
                if designs.codes[name][reference] != designs.codes[name][target]
            ]
            assert len(changed) == 1
        if kind == "baseColour":
            for name in ("articleType", *SLOTS):
                assert designs.codes[name][reference] == designs.codes[name][target]


def test_each_target_is_what_its_query_wants(maker: TripletMaker) -> None:
    batch = maker.batch(128, np.random.default_rng(6))
    for target, wanted in zip(batch.targets, batch.wanted, strict=True):
        assert maker.satisfies(wanted)[target]
