"""What queries usually score in an index, and that one is told when nothing is close."""

import colorsys
import dataclasses
import shutil
from pathlib import Path

import pytest

from cir.encoders.compact.encoder import CompactEncoder
from cir.indexing.backup import export_index, import_index
from cir.indexing.folder import ingest
from cir.search import Query, SearchOptions, is_nothing_close, search, usual_score, usual_scores
from cir.search.usual import LEAST_SAMPLE, is_learnt, learn_usual_scores
from cir.store import Hit, MilvusIndex, MilvusStore, UsualScore, UsualScores
from tests.drawn import solid

USUAL = UsualScores(
    500,
    image=UsualScore(0.9, 0.97, 100),
    text=UsualScore(0.2, 0.25, 100),
    composed=UsualScore(0.3, 0.4, 100),
    sentence=UsualScore(0.25, 0.3, 100),
)
RED = solid("red")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty pictures of one colour each, with its name and a number."""
    folder = tmp_path_factory.mktemp("usual")
    lines = ["file,colour,number"]
    for number in range(60):
        red, green, blue = colorsys.hsv_to_rgb(number / 60, 1, 1)
        code = f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"
        solid(code).save(folder / f"{number}.png")
        lines.append(f"{number}.png,{'red' if number < 30 else 'blue'} dress,{number}")
    (folder / "metadata.csv").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module")
def index(local_store: MilvusStore, compact: CompactEncoder, folder: Path) -> MilvusIndex:
    """An index of them."""
    ingest(local_store, folder, "usual", compact)
    return local_store.open("usual")


def hit(score: float) -> Hit:
    return Hit("0" * 32, "a.jpg", score)


def test_an_ingest_learns_what_each_way_of_asking_scores(index: MilvusIndex) -> None:
    usual = index.info.usual
    assert usual is not None
    assert usual.images == 60
    for way in (usual.image, usual.text, usual.sentence, usual.composed):
        assert way is not None
        assert -1 <= way.least <= way.middle <= 1
        assert way.sample >= LEAST_SAMPLE
    assert usual.image is not None
    assert usual.image.middle > 0.9  # beside each colour stands one almost like it


def test_an_image_of_the_index_is_close(index: MilvusIndex, compact: CompactEncoder) -> None:
    query = Query(solid("#ff0000"))
    hits = search(index, compact, query)
    assert is_nothing_close(usual_scores(index, compact), query, hits) is False


def test_an_unchanged_folder_is_not_sampled_again(
    local_store: MilvusStore, index: MilvusIndex, compact: CompactEncoder, folder: Path
) -> None:
    known = dataclasses.replace(USUAL, images=60)
    index.update(usual=known)
    ingest(local_store, folder, "usual", compact)
    assert local_store.open("usual").info.usual == known
    learn_usual_scores(index, compact)


def test_an_index_without_is_sampled_when_somebody_asks(
    local_store: MilvusStore,
    index: MilvusIndex,
    compact: CompactEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cir.search.usual.FIRST_SECONDS", 60)  # the host may be crowded
    known = index.info.usual
    index.update(usual=None)
    assert usual_scores(index, compact) == known
    assert local_store.open("usual").info.usual == known


def test_what_a_sampling_in_time_found_is_kept_though_no_words_were_there(
    local_store: MilvusStore,
    folder: Path,
    compact: CompactEncoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cir.search.usual.FIRST_SECONDS", 60)
    for file in folder.glob("*.png"):
        shutil.copy(file, tmp_path)
    ingest(local_store, tmp_path, "wordless", compact)
    index = local_store.open("wordless")
    index.update(usual=None)
    sampled = usual_scores(index, compact)
    assert sampled.text is None and sampled.image is not None
    assert local_store.open("wordless").info.usual == sampled


def test_a_slow_encoder_leaves_ways_unknown(index: MilvusIndex, compact: CompactEncoder) -> None:
    found = learn_usual_scores(index, compact, seconds=0)
    assert (found.text, found.sentence, found.composed) == (None, None, None)
    assert found.image is not None  # of embeddings that are there
    learn_usual_scores(index, compact)


def test_few_images_are_not_sampled(
    local_store: MilvusStore, compact: CompactEncoder, tmp_path: Path
) -> None:
    solid("red").save(tmp_path / "red.png")
    ingest(local_store, tmp_path, "one image", compact)
    assert local_store.open("one image").info.usual == UsualScores(1)


def test_what_is_usual_travels_with_an_export(
    local_store: MilvusStore, index: MilvusIndex, tmp_path: Path
) -> None:
    file = tmp_path / "usual.parquet"
    export_index(index, file)
    import_index(local_store, file, "usual elsewhere")
    assert local_store.open("usual elsewhere").info.usual == index.info.usual


def test_whether_it_is_known_of_as_many_images(index: MilvusIndex) -> None:
    info = dataclasses.replace(index.info, usual=UsualScores(100))
    assert [is_learnt(info, images) for images in (79, 80, 125, 126)] == [False, True, True, False]
    assert not is_learnt(dataclasses.replace(info, usual=None), 0)


@pytest.mark.parametrize(
    ("query", "score", "far"),
    [
        (Query(RED), 0.89, True),
        (Query(RED), 0.91, False),
        (Query(instruction="a dog"), 0.1, True),
        (Query(instruction="a dress"), 0.21, False),
        (Query(instruction="a long red dress"), 0.24, True),
        (Query(RED, "in blue"), 0.29, True),
        (Query(RED, "in blue"), 0.31, False),
    ],
)
def test_each_way_has_its_own_scores(query: Query, score: float, far: bool) -> None:
    assert is_nothing_close(USUAL, query, [hit(score)]) is far


def test_what_is_not_known_is_not_claimed() -> None:
    query = Query(RED, "in blue")
    assert is_nothing_close(USUAL, query, []) is None
    assert is_nothing_close(None, query, [hit(0.0)]) is None
    assert is_nothing_close(UsualScores(10), query, [hit(0.0)]) is None
    for told in ({"less": ["stripes"]}, {"balance": 0.3}, {"words": True}):
        options = SearchOptions(**told)
        assert is_nothing_close(USUAL, query, [hit(0.0)], options) is None


def test_the_ends_of_the_balance_are_ways_of_their_own() -> None:
    query = Query(RED, "in blue")
    assert usual_score(USUAL, query, SearchOptions(balance=1)) == USUAL.image
    assert usual_score(USUAL, query, SearchOptions(balance=0)) == USUAL.text
