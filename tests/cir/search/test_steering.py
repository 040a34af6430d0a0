"""Balance, less, several references, crop and turn: what they make of a query's row."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cir.encoders.compact.encoder import CompactEncoder
from cir.encoders.protocol import Embeddings
from cir.errors import ImageError, UsageError
from cir.images import part_of
from cir.search import (
    MODES,
    USUAL,
    Mode,
    More,
    Query,
    SearchOptions,
    embed,
    search,
    search_batch,
    similarities,
)
from cir.store import Hit, MilvusIndex, MilvusStore, image_id
from tests.cir.album import Album, CountingEncoder
from tests.drawn import COLOURS, draw_album, solid, striped

RED, BLUE, GREEN = solid("red"), solid("blue"), solid("green")
BOTH = Query(RED, "in blue")


class Calls(CountingEncoder):
    """Counts whatever is encoded."""

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        self.encoded += len(texts)
        return super().encode_texts(texts)

    def encode_composed(self, images: Sequence[Image.Image], texts: Sequence[str]) -> Embeddings:
        self.encoded += len(images)
        return super().encode_composed(images, texts)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = draw_album(tmp_path_factory.mktemp("steering") / "album")
    lines = [f"{colour},{number}" for number, colour in enumerate(COLOURS)]
    (folder / "metadata.csv").write_text("\n".join(["file,number", *lines]))
    return folder


@pytest.fixture(scope="module")
def index(local_store: MilvusStore, compact: CompactEncoder, folder: Path) -> MilvusIndex:
    album = Album(local_store, CountingEncoder(compact), folder, "steering")
    album.ingest()
    return album.index


def paths(hits: Sequence[Hit]) -> list[str]:
    return [hit.path for hit in hits]


def unit(row: Any) -> Any:
    return row / np.linalg.norm(row)


def row_of(encoder: CompactEncoder, query: Query, mode: Mode = "composed", **told: Any) -> Any:
    return embed(encoder, [query], mode, SearchOptions(**told))[0]


def test_without_options_a_query_is_what_the_encoder_gives_bit_for_bit(
    index: MilvusIndex, compact: CompactEncoder
) -> None:
    images, texts = [RED, striped("green")], ["in blue", "as a dress"]
    queries = [Query(image, text) for image, text in zip(images, texts, strict=True)]
    summed = compact.encode_images(images) + compact.encode_texts(texts)
    expected = {
        "composed": compact.encode_composed(images, texts),
        "image": compact.encode_images(images),
        "text": compact.encode_texts(texts),
        "sum": summed / np.linalg.norm(summed, axis=1, keepdims=True),
    }
    for mode in MODES:
        assert np.array_equal(embed(compact, queries, mode), expected[mode]), mode
    one = compact.encode_composed(images[:1], texts[:1])
    assert np.array_equal(embed(compact, queries[:1]), one)
    ids = [image_id("red.png")]
    (found,) = index.search_vectors(one, 10, exclude_ids=[ids])
    for _ in range(2):  # the second time from what is kept
        assert search(index, compact, queries[0], exclude_ids=ids) == found
        assert search_batch(index, compact, queries[:1], USUAL, exclude_ids=[ids]) == [found]


def test_wordings_are_averaged_as_before_bit_for_bit(compact: CompactEncoder) -> None:
    first = compact.encode_composed([RED, GREEN], ["in blue", "striped"])
    sums = first.copy()
    np.add.at(sums, [0], compact.encode_composed([RED], ["make it blue"]))
    sums[:1] /= np.linalg.norm(sums[:1], axis=1, keepdims=True)
    queries = [Query(RED, "in blue", rewordings=("make it blue",)), Query(GREEN, "striped")]
    assert np.array_equal(embed(compact, queries), sums)
    alone = Query(RED, "in blue", rewordings=("make it blue", "striped"))
    mean = compact.encode_composed([RED], ["in blue"])
    for row in compact.encode_composed([RED, RED], list(alone.rewordings)):
        mean += row
    assert np.array_equal(
        embed(compact, [alone]), mean / np.linalg.norm(mean, axis=1, keepdims=True)
    )


def test_balance_moves_between_text_composition_and_image(compact: CompactEncoder) -> None:
    text, image, composed = (row_of(compact, BOTH, mode) for mode in ("text", "image", "composed"))
    for balance, expected in (
        (0, text),
        (0.2, unit(0.6 * text + 0.4 * composed)),
        (0.5, composed),
        (0.9, unit(0.2 * composed + 0.8 * image)),
        (1, image),
    ):
        np.testing.assert_allclose(row_of(compact, BOTH, balance=balance), expected, atol=1e-6)
    for mode in ("text", "image", "sum"):
        assert np.array_equal(row_of(compact, BOTH, mode, balance=0.9), row_of(compact, BOTH, mode))


def test_balance_needs_two_sides(compact: CompactEncoder) -> None:
    for query in (Query(RED), Query(None, "red")):
        assert np.array_equal(row_of(compact, query, balance=0), row_of(compact, query))
    together = embed(compact, [Query(RED), BOTH], options=SearchOptions(balance=0))
    np.testing.assert_allclose(together[0], row_of(compact, Query(RED)), atol=1e-6)
    np.testing.assert_allclose(together[1], row_of(compact, BOTH, "text"), atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_less_turns_away_at_right_angles(compact: CompactEncoder, mode: Mode) -> None:
    query, (red, dress) = row_of(compact, BOTH, mode), compact.encode_texts(["red", "a dress"])
    away = 0.25 * (red - (query @ red) * query) + 1.0 * (dress - (query @ dress) * query)
    steered = row_of(compact, BOTH, mode, less=["red*0.5", "a dress*2"])
    np.testing.assert_allclose(steered, unit(query - away), atol=1e-6)
    assert steered @ red < query @ red and steered @ dress < query @ dress


def test_less_of_a_picture_takes_what_is_stored(
    index: MilvusIndex, compact: CompactEncoder, folder: Path
) -> None:
    key = image_id("red.png")
    encoder = Calls(compact)
    before = embed(encoder, [Query(None, "a shirt")])[0]
    encoder.encoded = 0
    told = SearchOptions(less_image=[f"{key}*2"])
    steered = embed(encoder, [Query(None, "a shirt")], options=told, index=index)[0]
    assert encoder.encoded == 0
    stored = index.vectors([key])[0]
    np.testing.assert_allclose(
        steered, unit(before - (stored - (before @ stored) * before)), atol=1e-6
    )
    by_file = row_of(compact, Query(None, "a shirt"), less_image=[f"{folder / 'red.png'}*2"])
    np.testing.assert_allclose(by_file, steered, atol=1e-5)


def test_what_is_steered_away_from_falls_behind(
    index: MilvusIndex, compact: CompactEncoder
) -> None:
    usual = paths(search(index, compact, Query(RED), SearchOptions(18)))
    less = paths(search(index, compact, Query(RED), SearchOptions(18, less=["red"])))
    striped_red = "striped/red striped.png"
    assert len(less) == 18 and usual.index(striped_red) < less.index(striped_red)
    key = image_id(striped_red)
    hits = search(index, compact, Query(RED), SearchOptions(18, less_image=[key]))
    assert len(hits) == 17 and key not in {hit.id for hit in hits}  # nobody asks for it


@pytest.mark.parametrize("mode", ["composed", "image", "sum"])
def test_references_are_averaged_by_weight(compact: CompactEncoder, mode: Mode) -> None:
    query = Query(RED, "in blue", weight=0.5, more=(More(GREEN), More(BLUE, weight=2)))
    singles = [row_of(compact, Query(image, "in blue"), mode) for image in (RED, GREEN, BLUE)]
    expected = unit(np.array([0.5, 1, 2]) @ np.array(singles))
    np.testing.assert_allclose(row_of(compact, query, mode), expected, atol=1e-6)
    together = embed(compact, [BOTH, query, Query(None, "red")], "composed")
    np.testing.assert_allclose(together[1], row_of(compact, query), atol=1e-5)
    np.testing.assert_allclose(together[0], row_of(compact, BOTH), atol=1e-5)


def test_the_text_alone_knows_no_references(compact: CompactEncoder) -> None:
    query = Query(RED, "in blue", weight=0.5, more=(More(GREEN),))
    reworded = Query(None, "red", rewordings=("dark red",))
    for rows in (embed(compact, [query], "text"), embed(compact, [query, reworded], "text")):
        np.testing.assert_allclose(rows[0], row_of(compact, BOTH, "text"), atol=1e-6)


def test_no_reference_is_its_own_result(index: MilvusIndex, compact: CompactEncoder) -> None:
    contents = {record.path: record.content_hash for record in index.iterate()}
    query = Query(RED, "", contents["red.png"], more=(More(BLUE, contents["blue.png"]),))
    found = paths(search(index, compact, query, SearchOptions(18)))
    assert len(found) == 16 and not {"red.png", "blue.png"} & set(found)


def test_the_first_reference_is_turned_and_cropped(compact: CompactEncoder) -> None:
    wide = Image.new("RGB", (80, 40), "red")
    wide.paste(striped("green").resize((40, 40)), (40, 0))
    for told, seen in (
        ({"crop": "0.5,0,1,1"}, part_of(wide, 0, (0.5, 0, 1, 1))),
        ({"turn": 90}, part_of(wide, 90)),
    ):
        row = row_of(compact, Query(wide), **told)
        assert np.array_equal(row, row_of(compact, Query(seen)))
    both: dict[str, Any] = {
        "turn": 90,
        "crop": "0,0.5,1,1",
    }  # after turning clockwise, the right half is below
    below = row_of(compact, Query(part_of(wide, 90, (0, 0.5, 1, 1)), "in blue"))
    assert np.array_equal(row_of(compact, Query(wide, "in blue"), **both), below)
    assert np.array_equal(
        row_of(compact, Query(None, "red"), **both), row_of(compact, Query(None, "red"))
    )


def test_asked_again_with_other_options_nothing_is_encoded(
    index: MilvusIndex, compact: CompactEncoder
) -> None:
    encoder = Calls(compact)
    first = search(index, encoder, BOTH)
    assert encoder.encoded == 1
    for options in (SearchOptions(limit=3), SearchOptions(where=["number>2"]), USUAL):
        search(index, encoder, Query(RED.copy(), "in blue"), options)
    assert encoder.encoded == 1
    search(index, encoder, BOTH, SearchOptions(balance=0.2, less=["red"]))
    assert encoder.encoded == 3  # the text alone, and what is steered away from
    for balance, weight in ((0.1, 2), (0.5, 0.1), (0.4, 1)):
        search(index, encoder, BOTH, SearchOptions(balance=balance, less=[f"red*{weight}"]))
    assert encoder.encoded == 3
    assert search(index, encoder, BOTH) == first
    search(index, encoder, BOTH, SearchOptions(turn=90))
    assert encoder.encoded == 4


def test_another_encoder_has_rows_of_its_own(compact: CompactEncoder) -> None:
    one, other = Calls(compact), Calls(compact)
    embed(one, [BOTH])
    embed(other, [BOTH])
    assert (one.encoded, other.encoded) == (1, 1)


def test_an_encoder_that_cannot_be_kept_for_is_asked_each_time(compact: CompactEncoder) -> None:
    class Unhashable(Calls):
        __hash__ = None  # type: ignore[assignment]

    encoder = Unhashable(compact)
    first, second = embed(encoder, [BOTH]), embed(encoder, [BOTH])
    assert encoder.encoded == 2 and np.array_equal(first, second)


def test_each_side_s_similarity_is_its_own(index: MilvusIndex, compact: CompactEncoder) -> None:
    ids = [image_id("red.png"), image_id("blue.png")]
    told = similarities(
        index, compact, BOTH, SearchOptions(less=["red"], balance=0), [*ids, "0" * 32]
    )
    vectors = index.vectors(ids)
    for side in ("image", "text"):
        expected = dict(zip(ids, vectors @ row_of(compact, BOTH, side), strict=True))
        assert told[side] == pytest.approx(expected, abs=1e-6)
    assert told["image"][ids[0]] == pytest.approx(1, abs=1e-5)
    assert similarities(index, compact, Query(None, "red"), USUAL, ids)["image"] == {}
    assert similarities(index, compact, Query(RED), USUAL, ids)["text"] == {}


def test_what_cannot_be_steered_away_from_is_said(
    index: MilvusIndex, compact: CompactEncoder, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="no image with id 0000"):
        search(index, compact, BOTH, SearchOptions(less_image=["0" * 32]))
    with pytest.raises(UsageError, match="needs an index"):
        embed(compact, [BOTH], options=SearchOptions(less_image=["0" * 32]))
    with pytest.raises(ImageError, match=r"none\.jpg: there is no such file"):
        search(index, compact, BOTH, SearchOptions(less_image=[str(tmp_path / "none.jpg")]))
