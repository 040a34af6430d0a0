"""Queries by image, by text, by both; filters; the reference left out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from cir.encoders.compact.encoder import CompactEncoder
from cir.errors import UsageError
from cir.images import open_reference
from cir.search import MODES, Mode, Query, SearchOptions, embed, search, search_batch, search_ways
from cir.store import Hit, MilvusIndex, MilvusStore, image_id
from tests.cir.album import Album, CountingEncoder
from tests.drawn import COLOURS, draw_album, solid, striped

RED = solid("red")


@pytest.fixture(scope="module")
def index(
    local_store: MilvusStore, compact: CompactEncoder, tmp_path_factory: pytest.TempPathFactory
) -> MilvusIndex:
    """Eighteen pictures with their colour and number, one of them twice."""
    folder = draw_album(tmp_path_factory.mktemp("search") / "album")
    (folder / "copy of red.png").write_bytes((folder / "red.png").read_bytes())
    lines = [f"{colour},{colour},{number}" for number, colour in enumerate(COLOURS)]
    (folder / "metadata.csv").write_text("\n".join(["file,colour,number", *lines]))
    album = Album(local_store, CountingEncoder(compact), folder, "search")
    album.ingest()
    return album.index


def paths(hits: list[Hit]) -> list[str]:
    return [hit.path for hit in hits]


@pytest.mark.parametrize(
    "query",
    [Query(RED, "in blue"), Query(RED), Query(None, "in blue"), Query(RED, "  \n ")],
    ids=["composed", "image", "text", "blank text"],
)
def test_hits_are_sorted_cosines(index: MilvusIndex, compact: CompactEncoder, query: Query) -> None:
    hits = search(index, compact, query, SearchOptions(100))
    assert len(hits) == 19
    assert all(-1 <= hit.score <= 1 for hit in hits)
    order = [(-hit.score, hit.path) for hit in hits]
    assert order == sorted(order)
    vectors = index.vectors([hit.id for hit in hits])
    expected = vectors @ embed(compact, [query])[0]
    np.testing.assert_allclose([hit.score for hit in hits], expected, atol=1e-5)
    assert all(hit.id == image_id(hit.path) for hit in hits)


def test_an_image_finds_itself_first(index: MilvusIndex, compact: CompactEncoder) -> None:
    hits = search(index, compact, Query(striped("green")), SearchOptions(3))
    assert len(hits) == 3
    assert hits[0].path == "striped/green striped.png"
    assert hits[0].score == pytest.approx(1, abs=1e-5)


def test_hits_carry_their_metadata(index: MilvusIndex, compact: CompactEncoder) -> None:
    hits = search(index, compact, Query(RED), SearchOptions(2))
    assert {hit.path: dict(hit.metadata) for hit in hits} == {
        "red.png": {"file": "red", "colour": "red", "number": 0},
        "copy of red.png": {},
    }


def test_the_reference_is_left_out_by_content(
    index: MilvusIndex, compact: CompactEncoder, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "another name.png"
    source = index.info.source
    assert source is not None
    elsewhere.write_bytes((Path(source) / "red.png").read_bytes())
    image, content = open_reference(elsewhere)
    found = paths(search(index, compact, Query(image, "in blue", content), SearchOptions(100)))
    assert len(found) == 17
    assert not {"red.png", "copy of red.png"} & set(found)
    # As many as were asked for, though two of them were the reference.
    assert len(search(index, compact, Query(image, "", content), SearchOptions(5))) == 5


def test_the_ways_of_a_query_are_those_it_has_enough_for(
    index: MilvusIndex, compact: CompactEncoder
) -> None:
    red = index.get([image_id("red.png")])[0]
    options = SearchOptions(3)
    both = Query(RED, "in blue", red.content_hash)
    ways = search_ways(index, compact, both, options)
    assert tuple(ways) == MODES
    assert ways["composed"] == search(index, compact, both, options)
    assert ways["text"] == search(index, compact, Query(None, "in blue"), options)
    alone = Query(RED, "", red.content_hash)
    assert ways["image"] == search(index, compact, alone, options)
    assert list(search_ways(index, compact, alone, options)) == ["image"]
    assert list(search_ways(index, compact, Query(None, "in blue"), options)) == ["text"]


def test_a_reference_of_other_content_leaves_all_in(
    index: MilvusIndex, compact: CompactEncoder
) -> None:
    assert len(search(index, compact, Query(RED, content_hash="0" * 32), SearchOptions(100))) == 19


def test_given_ids_are_left_out(index: MilvusIndex, compact: CompactEncoder) -> None:
    ids = [image_id("red.png"), image_id("not there.png")]
    assert "red.png" not in paths(
        search(index, compact, Query(RED), SearchOptions(100), exclude_ids=ids)
    )


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (["colour=blue"], ["blue.png"]),
        (["number>=4"], ["orange.png", "purple.png"]),
        (["number>=3", "number<5"], ["purple.png", "yellow.png"]),
        (["number>=3", "colour=red"], []),
    ],
    ids=str,
)
def test_all_conditions_must_hold(
    index: MilvusIndex, compact: CompactEncoder, where: list[str], expected: list[str]
) -> None:
    found = search(index, compact, Query(RED), SearchOptions(where=tuple(where)))
    assert sorted(paths(found)) == expected


def test_an_unknown_column_is_told_the_columns(index: MilvusIndex, compact: CompactEncoder) -> None:
    with pytest.raises(UsageError, match=r"no column .color.*colour, file, number"):
        search(index, compact, Query(RED), SearchOptions(where=("color=red",)))


@pytest.mark.parametrize("query", [Query(), Query(None, " \n\t")])
def test_an_empty_query_is_one_sentence(
    index: MilvusIndex, compact: CompactEncoder, query: Query
) -> None:
    with pytest.raises(UsageError, match=r"^The query is empty: give .*\.$"):
        search(index, compact, query)


@pytest.mark.parametrize("limit", [0, -1, 20_000])
def test_a_limit_out_of_range_is_refused(
    index: MilvusIndex, compact: CompactEncoder, limit: int
) -> None:
    with pytest.raises(UsageError, match="1 to 16384"):
        search(index, compact, Query(RED), SearchOptions(limit))


def test_modes_use_their_part_of_a_query(compact: CompactEncoder) -> None:
    queries = [Query(RED, "in blue"), Query(striped("green"), " as a dress ")]
    rows = {mode: embed(compact, queries, mode) for mode in MODES}
    images = [query.image for query in queries if query.image is not None]
    np.testing.assert_allclose(rows["image"], compact.encode_images(images), atol=1e-5)
    texts = compact.encode_texts(["in blue", "as a dress"])
    np.testing.assert_allclose(rows["text"], texts, atol=1e-5)
    total = rows["image"] + rows["text"]
    total /= np.linalg.norm(total, axis=1, keepdims=True)
    np.testing.assert_allclose(rows["sum"], total, atol=1e-5)
    composed = compact.encode_composed(images, ["in blue", "as a dress"])
    np.testing.assert_allclose(rows["composed"], composed, atol=1e-5)


@pytest.mark.parametrize("mode", ["composed", "sum"])
def test_mixed_queries_keep_their_order(compact: CompactEncoder, mode: str) -> None:
    queries = [Query(None, "red"), Query(RED), Query(RED, "in blue"), Query(None, "blue")]
    together = embed(compact, queries, mode)  # type: ignore[arg-type]
    alone = [embed(compact, [query], mode)[0] for query in queries]  # type: ignore[arg-type]
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize(
    ("mode", "query", "words"),
    [
        ("image", Query(None, "red"), "needs a reference image"),
        ("text", Query(RED), "needs an instruction"),
        ("composed", Query(), "is empty"),
        ("sum", Query(), "is empty"),
        ("image", Query(), "is empty"),
    ],
)
def test_a_mode_says_what_it_lacks(
    compact: CompactEncoder, mode: str, query: Query, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        embed(compact, [query], mode)  # type: ignore[arg-type]


def test_many_queries_get_what_each_would_get(index: MilvusIndex, compact: CompactEncoder) -> None:
    queries = [Query(RED, "in blue"), Query(None, "striped"), Query(striped("blue"))]
    copy = image_id("copy of red.png")  # which of two equal pictures is the last is left to chance
    excluded = [[image_id("blue.png")], [], [image_id("red.png"), image_id("blue.png")]]
    excluded = [[copy, *ids] for ids in excluded]
    together = search_batch(index, compact, queries, SearchOptions(4), exclude_ids=excluded)
    for hits, query, ids in zip(together, queries, excluded, strict=True):
        alone = search(index, compact, query, SearchOptions(4), exclude_ids=ids)
        assert paths(hits) == paths(alone)


def test_no_queries_give_no_answers(index: MilvusIndex, compact: CompactEncoder) -> None:
    assert embed(compact, []).shape == (0, 512)
    assert search_batch(index, compact, [], SearchOptions(4)) == []


@pytest.mark.parametrize("mode", ["composed", "text", "sum"])
def test_the_wordings_of_a_query_are_averaged(compact: CompactEncoder, mode: Mode) -> None:
    said = Query(RED, "in blue", rewordings=("striped", "make it green"))
    plain = Query(RED, "as a dress")
    rows = embed(compact, [said, plain], mode)
    each = [Query(RED, text) for text in ("in blue", "striped", "make it green")]
    mean = embed(compact, each, mode).sum(axis=0)
    np.testing.assert_allclose(rows[0], mean / np.linalg.norm(mean), atol=1e-5)
    np.testing.assert_allclose(rows[1], embed(compact, [plain], mode)[0], atol=1e-5)


def test_an_image_has_no_wordings(compact: CompactEncoder) -> None:
    rows = embed(compact, [Query(RED, "in blue", rewordings=("striped",)), Query(RED)], "image")
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-5)


def test_a_query_that_is_searched_twice_is_encoded_once(
    index: MilvusIndex, compact: CompactEncoder
) -> None:
    encoder = CountingEncoder(compact)
    stages: list[str] = []

    @contextmanager
    def timed(stage: str) -> Iterator[None]:
        stages.append(stage)
        yield

    query, few = Query(RED), [image_id("blue.png"), image_id("red.png")]
    whole, among = search_batch(
        index,
        encoder,
        [query, query],
        SearchOptions(3),
        only_ids=[None, few],
        mode="image",
        timed=timed,
    )
    assert (encoder.encoded, stages) == (1, ["encoding", "search"])
    assert paths(whole) == paths(search(index, compact, query, SearchOptions(3)))
    assert paths(among) == ["red.png", "blue.png"]


def test_words_of_the_metadata_count_where_asked_for(
    index: MilvusIndex, compact: CompactEncoder
) -> None:
    query = Query(striped("green"), "RED")
    plainly = search(index, compact, query, SearchOptions(100))
    with_words = search(index, compact, query, SearchOptions(100, words=True))
    assert with_words[0].path == "red.png" != plainly[0].path
    assert {hit.path: hit.score for hit in with_words} == pytest.approx(
        {hit.path: hit.score for hit in plainly}, abs=1e-6
    )
    picture = Query(striped("green"))
    assert search(index, compact, picture, SearchOptions(100, words=True)) == search(
        index, compact, picture, SearchOptions(100)
    )
    (image,) = search_batch(index, compact, [query], SearchOptions(100, words=True), mode="image")
    assert image == search(index, compact, picture, SearchOptions(100))
