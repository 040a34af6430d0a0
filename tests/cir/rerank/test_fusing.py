"""The first hits ordered by cosine and second stage together."""

from pathlib import Path

import pytest

from cir.encoders.compact.encoder import CompactEncoder
from cir.errors import UsageError
from cir.rerank.fusing import Outcome, before_rerank, fused
from cir.search import Query, SearchOptions, search, search_batch
from cir.store import Hit, MilvusIndex, MilvusStore
from tests.cir.album import Album, CountingEncoder
from tests.drawn import COLOURS, draw_album, solid

QUERY = Query(solid("red"), "the blue one")
WORDS = SearchOptions(100, rerank="words", rerank_columns="title")


@pytest.fixture(scope="module")
def index(
    local_store: MilvusStore, compact: CompactEncoder, tmp_path_factory: pytest.TempPathFactory
) -> MilvusIndex:
    """Eighteen pictures; the six solid ones have a title, all a number, none a note."""
    folder = draw_album(tmp_path_factory.mktemp("rerank") / "album")
    lines = [f"{colour},A {colour} picture,{at}," for at, colour in enumerate(COLOURS)]
    (folder / "metadata.csv").write_text("\n".join(["file,title,number,note", *lines, "x,,1,y"]))
    album = Album(local_store, CountingEncoder(compact), folder, "rerank")
    album.ingest()
    return album.index


def ids(hits: list[Hit]) -> list[str]:
    return [hit.id for hit in hits]


def test_hits_are_ordered_by_both_and_keep_their_cosines(
    index: MilvusIndex, compact: CompactEncoder
) -> None:
    told: list[Outcome] = []
    plain = search(index, compact, QUERY, SearchOptions(100))
    hits = search(index, compact, QUERY, WORDS, on_rerank=told.append)
    cosines = {hit.id: hit.score for hit in plain}
    assert {hit.id: hit.score for hit in hits} == cosines  # none lost, none added
    order = [fused(hit, 0.2) for hit in hits]
    assert order == sorted(order, reverse=True)
    assert [fused(hit, 0.2) - hit.score for hit in hits] == pytest.approx(
        [0.2 * hit.reranked.share for hit in hits if hit.reranked]
    )
    assert ids(before_rerank(hits)) == ids(plain)
    best = max(hits, key=lambda hit: hit.reranked.share if hit.reranked else 0)
    assert best.path == "blue.png"
    (outcome,) = told
    assert (outcome.judged, outcome.unread, outcome.failure) == (6, 12, "")
    assert "12 of the first 18 images have no text" in " ".join(outcome.notes())


def test_what_has_no_text_neither_gains_nor_loses(
    index: MilvusIndex, compact: CompactEncoder
) -> None:
    hits = search(index, compact, QUERY, WORDS)
    shares = {hit.path: hit.reranked.share for hit in hits if hit.reranked}
    titled = [share for path, share in shares.items() if "/" not in path]
    others = [share for path, share in shares.items() if "/" in path]
    assert others == pytest.approx([sum(titled) / len(titled)] * 12)


@pytest.mark.parametrize("limit", [1, 4, 10, 18])
def test_a_list_is_the_beginning_of_a_longer_one(
    index: MilvusIndex, compact: CompactEncoder, limit: int
) -> None:
    whole = search(index, compact, QUERY, WORDS)
    options = SearchOptions(limit, rerank="words", rerank_columns="title")
    assert search(index, compact, QUERY, options) == whole[:limit]


def test_no_weight_is_the_identity(index: MilvusIndex, compact: CompactEncoder) -> None:
    options = SearchOptions(5, rerank="words", rerank_columns="title", rerank_weight=0)
    assert search(index, compact, QUERY, options) == search(index, compact, QUERY, SearchOptions(5))


def test_hits_below_the_depth_stay(index: MilvusIndex, compact: CompactEncoder) -> None:
    plain = search(index, compact, QUERY, SearchOptions(18))
    options = SearchOptions(18, rerank="words", rerank_columns="title", rerank_depth=4)
    hits = search(index, compact, QUERY, options)
    assert hits[4:] == plain[4:]
    assert set(ids(hits[:4])) == set(ids(plain[:4]))
    assert [bool(hit.reranked) for hit in hits] == [True] * 4 + [False] * 14


def test_folded_and_grouped_results_are_ordered_likewise(
    index: MilvusIndex, compact: CompactEncoder
) -> None:
    options = SearchOptions(18, distinct=True, rerank="words", rerank_columns="title")
    assert ids(search(index, compact, QUERY, options)) == ids(search(index, compact, QUERY, WORDS))


@pytest.mark.parametrize("query", [Query(solid("red")), Query(solid("red"), "  ")])
def test_without_an_instruction_there_is_no_second_stage(
    index: MilvusIndex, compact: CompactEncoder, query: Query
) -> None:
    told: list[Outcome] = []
    hits = search(index, compact, query, WORDS, on_rerank=told.append)
    assert hits == search(index, compact, query, SearchOptions(100))
    assert told == []


def test_the_image_alone_has_no_second_stage(index: MilvusIndex, compact: CompactEncoder) -> None:
    (hits,) = search_batch(index, compact, [QUERY], WORDS, mode="image")
    assert hits == search_batch(index, compact, [QUERY], SearchOptions(100), mode="image")[0]


def test_hits_without_any_text_come_as_they_are(
    index: MilvusIndex, compact: CompactEncoder
) -> None:
    told: list[Outcome] = []
    options = SearchOptions(18, rerank="words", rerank_columns="note")
    hits = search(index, compact, QUERY, options, on_rerank=told.append)
    assert hits == search(index, compact, QUERY, SearchOptions(18))
    assert "None of the first 18 images has text in note" in told[0].failure
    assert told[0].notes()[0].startswith("These are the results without the second stage. None of")


def test_unknown_columns_and_names_are_told(index: MilvusIndex, compact: CompactEncoder) -> None:
    options = SearchOptions(rerank="words", rerank_columns="title, colour")
    with pytest.raises(UsageError, match=r'no column "colour".*note, number, title'):
        search(index, compact, QUERY, options)
    with pytest.raises(UsageError, match=r"no second stage 'word'.*mean words\?"):
        search(index, compact, QUERY, SearchOptions(rerank="word", rerank_columns="title"))


def test_titles_are_read_where_no_column_is_named(
    index: MilvusIndex,
    compact: CompactEncoder,
    local_store: MilvusStore,
    tmp_path: Path,
) -> None:
    titled = search(index, compact, QUERY, SearchOptions(100, rerank="words"))
    assert titled == search(index, compact, QUERY, WORDS)
    folder = draw_album(tmp_path / "bare", kinds=1)
    album = Album(local_store, CountingEncoder(compact), folder, "bare")
    album.ingest()
    with pytest.raises(UsageError, match=r"no column of this index holds titles.*none"):
        search(album.index, compact, QUERY, SearchOptions(rerank="words"))
