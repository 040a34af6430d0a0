"""What the shipped encoder has learned: a few wishes on drawn garments that training never saw."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from cir.encoders.compact.encoder import FILES, FOLDER, CompactEncoder
from cir.sample.designs import Design, catalogue
from cir.sample.drawing import draw
from cir.sample.labelled import SampleQuery, fulfils, sample_queries
from tests.drawn import COLOURS

MOST_BYTES = 30_000_000
QUERIES = sample_queries()[::25]


@pytest.fixture(scope="module")
def gallery() -> tuple[Design, ...]:
    """References and targets of the queries, and every third design."""
    wanted = {query.reference for query in QUERIES} | {
        target for query in QUERIES for target in query.targets
    }
    wanted |= set(catalogue()[::3])
    return tuple(sorted(wanted, key=lambda design: design.id))


def others(query: SampleQuery, gallery: tuple[Design, ...]) -> list[int]:
    return [place for place, design in enumerate(gallery) if design != query.reference]


def test_composed_queries_find_their_targets_and_halves_do_not(
    gallery: tuple[Design, ...], compact: CompactEncoder
) -> None:
    pictures = {design: draw(design) for design in gallery}
    rows = compact.encode_images(list(pictures.values()))
    references = [pictures[query.reference] for query in QUERIES]
    texts = [query.text for query in QUERIES]

    def found(queries: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> float:
        """Share of the queries whose first result is a target."""
        hits = []
        for query, row in zip(QUERIES, queries, strict=True):
            places = others(query, gallery)
            first = gallery[places[int(np.argmax(rows[places] @ row))]]
            hits.append(fulfils(first, query.reference, query.changes))
        return float(np.mean(hits))

    assert found(compact.encode_composed(references, texts)) >= 0.75
    assert found(compact.encode_images(references)) < 0.5
    assert found(compact.encode_texts(texts)) < 0.5


@pytest.mark.parametrize(
    ("slot", "words"), [("colour", "in {}"), ("pattern", "{}"), ("sleeve", "with {} sleeves")]
)
def test_what_is_asked_goes_before_what_is_kept_where_nothing_has_both(
    slot: str, words: str, gallery: tuple[Design, ...], compact: CompactEncoder
) -> None:
    pictures = {design: draw(design) for design in gallery}
    rows = compact.encode_images(list(pictures.values()))
    there = {replace(design, id=0) for design in gallery}
    hits = []
    for reference in gallery[::3]:
        values = {getattr(each, slot) for each in gallery if each.garment == reference.garment}
        missing = [
            value
            for value in sorted(values - {getattr(reference, slot), "", "sleeveless"})
            if replace(reference, **{slot: value}, id=0) not in there
        ]
        texts = [words.format(value) for value in missing]
        queries = compact.encode_composed([pictures[reference]] * len(texts), texts)
        for value, query in zip(missing, queries, strict=True):
            order = [gallery[at] for at in np.argsort(-(rows @ query))]
            order.remove(reference)
            hits.append(getattr(order[0], slot) == value)
    assert len(hits) > 20
    assert np.mean(hits) >= 0.85


@pytest.mark.parametrize(
    ("one", "other", "third"),
    [
        ("in crimson", "in red", "in blue"),
        ("TEES IN THIS COLOUR", "t-shirts in the same color", "trousers in the same colour"),
        ("could it have stripes?", "a striped one", "a plain one"),
        ("something for my aunt", "the women's version", "the men's version"),
        ("in biege", "in beige", "in blue"),
    ],
)
def test_words_of_one_meaning_ask_for_the_same(
    one: str, other: str, third: str, compact: CompactEncoder
) -> None:
    picture = draw(next(design for design in catalogue() if design.garment == "shirt"))
    rows = compact.encode_composed([picture] * 3, [one, other, third])
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.05


def test_what_is_no_garment_is_found_in_another_colour(compact: CompactEncoder) -> None:
    names = [(sign, colour) for sign in "A7&Q?#" for colour in COLOURS]
    rows = compact.encode_images([glyph(*name) for name in names])
    places = []
    for sign, colour in names:
        wanted = COLOURS[COLOURS.index(colour) - 1]
        query = compact.encode_composed([glyph(sign, colour)], [f"in {wanted}"])[0]
        order = [names[at] for at in np.argsort(-(rows @ query))]
        order.remove((sign, colour))
        places.append(order.index((sign, wanted)))
    assert np.mean(np.array(places) < 3) >= 0.5  # found by chance: 0.09


def glyph(sign: str, colour: str) -> Image.Image:
    """A large letter on a light ground."""
    image = Image.new("RGB", (160, 160), "#f4f2ec")
    font = ImageFont.load_default(120)
    ImageDraw.Draw(image).text((80, 80), sign, fill=colour, font=font, anchor="mm")
    return image


def test_the_files_are_small() -> None:
    assert sum((FOLDER / name).stat().st_size for name in FILES) < MOST_BYTES
