"""Other ways to put picture and text together than the encoder's own."""

from pathlib import Path

import numpy as np
import pytest

from cir.encoders.compact.encoder import CompactEncoder
from cir.errors import UsageError
from cir.search import Query, SearchOptions, embed, search, search_batch
from cir.search.usual import usual_score
from cir.store import MilvusIndex, MilvusStore, UsualScore, UsualScores
from tests.cir.album import Album, CountingEncoder
from tests.drawn import draw_album, solid

RED = solid("red")
BOTH, TEXT, IMAGE = Query(RED, "in blue"), Query(instruction="green"), Query(RED)


@pytest.fixture(scope="module")
def index(
    local_store: MilvusStore,
    compact: CompactEncoder,
    tmp_path_factory: pytest.TempPathFactory,
) -> MilvusIndex:
    folder: Path = draw_album(tmp_path_factory.mktemp("composition") / "album")
    album = Album(local_store, CountingEncoder(compact), folder, "composition")
    album.ingest()
    return album.index


def test_sums_are_of_the_two_rows_alone(compact: CompactEncoder) -> None:
    seen, read = compact.encode_images([RED]), compact.encode_texts(["in blue"])
    for composition, weight in (("sum", 0.5), ("weighted:0.5", 0.5), ("weighted:0.2", 0.2)):
        expected = weight * seen + (1 - weight) * read
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        options = SearchOptions(composition=composition)
        rows = embed(compact, [BOTH, TEXT, IMAGE], options=options)
        assert rows[:1] == pytest.approx(expected, abs=1e-6)
        assert rows[1:2] == pytest.approx(compact.encode_texts(["green"]), abs=1e-6)
        assert rows[2:] == pytest.approx(seen, abs=1e-6)
        assert np.array_equal(embed(compact, [BOTH], "image", options), seen)


@pytest.mark.parametrize("balance", [0.5, 0.2])
def test_a_product_ranks_by_both_similarities(
    index: MilvusIndex, compact: CompactEncoder, balance: float
) -> None:
    rows = index.sample(100)
    vectors = np.array([row.vector for row in rows])
    likes = np.maximum(vectors @ compact.encode_images([RED])[0], 0)
    fits = np.maximum(vectors @ compact.encode_texts(["in blue"])[0], 0)
    scores = likes ** (2 * balance) * fits ** (2 - 2 * balance)
    expected = sorted(((-score, row.record.path) for score, row in zip(scores, rows, strict=True)))
    options = SearchOptions(composition="product", balance=balance, limit=len(rows))
    found = search(index, compact, BOTH, options)
    assert [hit.score for hit in found] == pytest.approx([-each for each, _ in expected], abs=1e-5)
    clear = [at for at, (score, _) in enumerate(expected) if score < 0][:5]
    assert [found[at].path for at in clear] == [expected[at][1] for at in clear]


def test_queries_of_one_side_are_asked_as_before(
    index: MilvusIndex, compact: CompactEncoder
) -> None:
    plain, product = SearchOptions(limit=5), SearchOptions(limit=5, composition="product")
    queries = [TEXT, BOTH, IMAGE]
    usual = search_batch(index, compact, queries, plain)
    found = search_batch(index, compact, queries, product)
    for at in (0, 2):
        assert [hit.path for hit in found[at]] == [hit.path for hit in usual[at]]
        assert [hit.score for hit in found[at]] == pytest.approx(
            [hit.score for hit in usual[at]], abs=1e-5
        )
    assert found[1] != usual[1] and len(found[1]) == 5
    for mode in ("image", "text", "sum"):
        assert search_batch(index, compact, [BOTH], product, mode=mode) == search_batch(
            index, compact, [BOTH], plain, mode=mode
        )


def test_what_is_shown_of_a_product_is_chosen_as_ever(
    index: MilvusIndex, compact: CompactEncoder
) -> None:
    product = SearchOptions(composition="product", limit=100)
    found = search(index, compact, BOTH, product)
    least = found[3].score
    few = SearchOptions(composition="product", limit=100, threshold=least)
    assert search(index, compact, BOTH, few) == [hit for hit in found if hit.score >= least]
    out = search(index, compact, BOTH, product, exclude_ids=[found[0].id])
    assert [hit.id for hit in out] == [hit.id for hit in found[1:]]


def test_scores_of_another_composition_are_not_held_against_usual_ones() -> None:
    usual = UsualScores(60, composed=UsualScore(0.3, 0.4, 50))
    assert usual_score(usual, BOTH) is not None
    for composition in ("sum", "product"):
        assert usual_score(usual, BOTH, SearchOptions(composition=composition)) is None


@pytest.mark.parametrize("composition", ["sums", "weighted", "weighted:x", "weighted:1.1", "sum:1"])
def test_another_composition_is_refused(composition: str) -> None:
    with pytest.raises(UsageError, match="say sum, product, or weighted:W"):
        SearchOptions(composition=composition)


def test_a_product_does_not_go_with_words() -> None:
    with pytest.raises(UsageError, match="does not go with the words"):
        SearchOptions(composition="product", words=True)
