"""Images found by the words of their metadata, beside the vector."""

import dataclasses
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cir.errors import ReadOnlyError, StoreError, UsageError
from cir.store import Hit, MilvusIndex, MilvusStore, Row, image_id
from cir.store.fulltext import MAX_BYTES, joined, plain, pool_for, words_of
from cir.store.registry import Registry
from tests.cir.store.samples import COLUMNS, DIM, row, unit
from tests.places import REPOSITORY
from tests.quick_server import quick_server

QUERY = unit(1.0)[None]
FACTS = {"encoder": "test", "fingerprint": "0", "dim": DIM}
NAMES = ["Nike red shoe", "Puma blue shoes", "Levi's jeans", "Café crème", "Adidas red cap"]
HOSTILE = [
    "",
    " \t\n",
    "the of and",
    "'\"; drop table x -- \\",
    "AND OR NOT (zzz* ~ ^2 [a TO b])",
    "😀😀",
    "word " * 2_000,
    "x" * 10_000,
    "\0\x1b\x7f\ud800 \udcff",
    "\U000f0000000000a",
]


def make_store(folder: Path) -> MilvusStore:
    return MilvusStore(str(folder / "test.db"), data_dir=folder)


def named_rows(number: int) -> list[Row]:
    """Rows whose similarity to `QUERY` falls, with one of the names each, in turn."""
    return [
        row(f"{at:04}", unit(1.0, 0.01 * at), {"colour": NAMES[at % len(NAMES)], "year": at})
        for at in range(number)
    ]


@pytest.fixture(scope="module", params=["lite", "server"])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MilvusStore]:
    """A Lite file, and the same Milvus as a server."""
    folder: Path = tmp_path_factory.mktemp("words")
    if request.param == "lite":
        yield make_store(folder)
        return
    with quick_server() as proxy:
        yield MilvusStore(proxy.uri, data_dir=folder)


@pytest.fixture(scope="module")
def index(store: MilvusStore) -> MilvusIndex:
    """An index of 20 images with texts."""
    index = store.create("named", columns=COLUMNS, **FACTS)  # type: ignore[arg-type]
    index.upsert(named_rows(20))
    return index


def found(index: MilvusIndex, words: str, limit: int = 4, **options: object) -> list[Hit]:
    return index.search_vectors(QUERY, limit, words=[words], **options)[0]  # type: ignore[arg-type]


def test_images_that_hold_the_words_come_first_in_the_order_of_the_vector(
    index: MilvusIndex,
) -> None:
    assert index.words_state == "available"
    hits = found(index, "by the NIKE")
    assert [hit.path for hit in hits] == ["0000", "0005", "0010", "0015"]
    assert [hit.path for hit in found(index, "cafe")] == ["0003", "0008", "0013", "0018"]
    assert [hit.path for hit in found(index, "levi's")] == ["0002", "0007", "0012", "0017"]


def test_scores_stay_the_cosine_similarity(index: MilvusIndex) -> None:
    by_id = {hit.id: hit for hit in index.search_vectors(QUERY, 20)[0]}
    hits = found(index, "adidas", 20)
    assert {hit.id: hit for hit in hits} == by_id
    assert hits[0].path == "0004"


def test_without_words_the_ranking_is_that_of_the_vector(index: MilvusIndex) -> None:
    plainly = index.search_vectors(QUERY, 7)[0]
    for text in ("", " ", "the", "nowhere"):
        assert found(index, text, 7) == plainly


def test_conditions_and_exclusions_apply_to_words(index: MilvusIndex) -> None:
    hits = found(index, "nike", 20, where=["year>=5", "year<16"], exclude_ids=[[image_id("0005")]])
    assert [hit.path for hit in hits[:2]] == ["0010", "0015"]
    assert sorted(hit.path for hit in hits) == [f"{at:04}" for at in range(6, 16)]
    among = [image_id(f"{at:04}") for at in (3, 8, 15)]
    hits = found(index, "nike", 20, only_ids=[among])
    assert [hit.path for hit in hits] == ["0015", "0003", "0008"]


def test_queries_of_a_batch_have_words_of_their_own(index: MilvusIndex) -> None:
    queries = np.repeat(QUERY, 4, axis=0)
    texts = ["nike", "", "puma", "café"]
    only = [None, None, [image_id("0001"), image_id("0002")], None]
    batch = index.search_vectors(queries, 3, words=texts, only_ids=only)
    assert [hits[0].path for hits in batch] == ["0000", "0000", "0001", "0003"]
    assert batch[0] == found(index, "nike", 3) and len(batch[2]) == 2


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_makes_a_search_fail(index: MilvusIndex, text: str) -> None:
    assert len(found(index, text, 20)) == 20


def test_an_index_of_no_image_finds_none(store: MilvusStore) -> None:
    empty = store.create("empty", columns=COLUMNS, **FACTS)  # type: ignore[arg-type]
    assert found(empty, "red") == []
    store.drop("empty")


def test_texts_change_and_go_with_their_images(index: MilvusIndex) -> None:
    changed = row("0000", unit(1.0), {"colour": "\n".join(HOSTILE) + " zebra"})
    index.upsert([changed])
    try:
        assert found(index, "zebra", 1)[0].metadata == changed.record.metadata
        assert found(index, "nike", 1)[0].path == "0005"
        index.delete([image_id("0000")])
        assert found(index, "zebra", 1)[0].path == "0001"
    finally:
        index.upsert(named_rows(1))


def test_more_images_that_match_than_are_looked_at_keep_the_order_of_the_vector(
    tmp_path: Path,
) -> None:
    index = make_store(tmp_path).create("many", columns=COLUMNS, **FACTS)  # type: ignore[arg-type]
    # Ids are digests: those that Milvus gives first have nothing to do with the vector.
    index.upsert([row(str(at), unit(1.0, 0.001 * at), {"colour": "red"}) for at in range(600)])
    assert found(index, "red", 100) == index.search_vectors(QUERY, 100)[0]


def test_an_index_that_lacks_words_says_so_and_gets_them_by_a_rebuild(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    index = store.create("one", **FACTS)  # type: ignore[arg-type]
    assert "none of its metadata columns holds texts" in index.words_state
    index.update(columns=COLUMNS, state="ready", count=20)
    index.upsert(named_rows(20))
    assert "Rebuild it" in index.words_state
    with pytest.raises(UsageError, match="was made without its words"):
        found(index, "nike")
    before, records = index.search_vectors(QUERY, 20), list(index.iterate())
    index.rebuild()
    for same in (index, store.open("one")):
        assert same.words_state == "available"
        assert found(same, "adidas", 1)[0].path == "0004"
        assert same.search_vectors(QUERY, 20) == before
        assert list(same.iterate()) == records
        assert (same.info.state, same.info.count) == ("ready", 20)
    assert [info.name for info in store.list()] == ["one"]
    with store._connection.session() as client:
        assert set(client.list_collections()) == {"cir_indexes", index.info.collection}
    index.upsert(named_rows(21)[20:])
    index.rebuild()
    assert index.count() == 21


def test_a_rebuild_keeps_thumbnails(store: MilvusStore) -> None:
    index = store.create("pictures", **FACTS)  # type: ignore[arg-type]
    index.upsert([row("a", thumbnail=b"one"), row("b")])
    index.update(columns=COLUMNS)
    index.rebuild()
    assert index.words_state == "available"
    assert index.thumbnails([image_id("a"), image_id("b")]) == {image_id("a"): b"one"}
    store.drop("pictures")


def test_a_rebuild_of_an_index_that_changes_meanwhile_leaves_it(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    index = store.create("one", **FACTS)  # type: ignore[arg-type]
    index.update(columns=COLUMNS)
    index.upsert(named_rows(3))
    registry = Registry(store._connection)

    def make(info: object) -> Iterator[None]:
        store.open("one").update(count=7)
        yield

    with pytest.raises(StoreError, match="changed while it was copied"):
        registry.replace(index.info, {}, make)
    assert len(registry._entries()) == 1
    assert store.open("one").count() == 3


@pytest.mark.parametrize("moment", ["creating", "live"])
def test_what_a_killed_rebuild_leaves_is_cleared(tmp_path: Path, moment: str) -> None:
    store = make_store(tmp_path)
    index = store.create("one", **FACTS)  # type: ignore[arg-type]
    registry = Registry(store._connection)
    other = store.create("other", **FACTS)  # type: ignore[arg-type]
    half = dataclasses.replace(other.info, name="one", replaces=index.info.collection)
    registry._write(half, moment)
    names = {info.collection for info in store.list()}
    assert names == {(half if moment == "live" else index.info).collection}
    current = store.open("one")
    current.update(columns=COLUMNS)
    current.rebuild()
    store.create("third", **FACTS)  # type: ignore[arg-type]
    assert sorted(entry.info.name for entry in registry._entries()) == ["one", "third"]
    with store._connection.session() as client:
        assert len(client.list_collections()) == 3


@pytest.mark.parametrize("seconds", [0.0, 0.3])
def test_a_rebuild_that_is_killed_leaves_a_whole_index(tmp_path: Path, seconds: float) -> None:
    store = make_store(tmp_path)
    index = store.create("one", **FACTS)  # type: ignore[arg-type]
    index.update(columns=COLUMNS)
    index.upsert(named_rows(3_000))
    store.close()
    code = (
        "import sys; from pathlib import Path; from cir.store import MilvusStore\n"
        "folder = Path(sys.argv[1])\n"
        "index = MilvusStore(str(folder / 'test.db'), data_dir=folder).open('one')\n"
        "print('go', flush=True); index.rebuild()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=REPOSITORY,
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == "go\n"
        time.sleep(seconds)
        other.send_signal(signal.SIGKILL)
    index = store.open("one")
    assert index.count() == 3_000 and len(index.search_vectors(QUERY, 5)[0]) == 5
    index.rebuild()
    assert index.count() == 3_000 and found(index, "nike", 1)[0].path == "0000"


def test_a_read_only_store_searches_words_and_rebuilds_nothing(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    store.create("one", columns=COLUMNS, **FACTS).upsert(named_rows(5))  # type: ignore[arg-type]
    index = MilvusStore(str(tmp_path / "test.db"), data_dir=tmp_path, read_only=True).open("one")
    assert found(index, "adidas", 1)[0].path == "0004"
    with pytest.raises(ReadOnlyError):
        index.rebuild()


def test_where_an_earlier_version_wrote_the_record_the_words_are_still_there(
    tmp_path: Path,
) -> None:
    store = make_store(tmp_path)
    index = store.create("one", columns=COLUMNS, **FACTS)  # type: ignore[arg-type]
    index.upsert(named_rows(5))
    Registry(store._connection).update(index.info, {"words": None})
    index = store.open("one")
    index.upsert(named_rows(10))
    assert found(index, "adidas", 1)[0].path == "0004"


def test_words_are_the_texts_of_the_metadata() -> None:
    assert words_of({"name": "Shoe", "year": 2011, "new": True, "note": "a\tb"}) == "Shoe a b"
    assert plain("cafe\u0301") == "café"
    assert len(plain("ﷺ" * 10_000).encode()) <= MAX_BYTES
    assert plain("é" * MAX_BYTES).encode().decode() == "é" * (MAX_BYTES // 2)


def test_rankings_join_by_reciprocal_rank() -> None:
    def hit(name: str, score: float) -> Hit:
        return Hit(name, name, score)

    near = [hit("a", 0.9), hit("b", 0.8), hit("c", 0.7)]
    far = [hit("d", 0.1), hit("e", 0.2)]
    # b: 2/62; a: 1/61; c, d and e: 1/63, the nearer first, as d and e match alike.
    names = [each.id for each in joined(near, far, {"x": 9.0, "b": 5.0, "d": 3.0, "e": 3.00001})]
    assert names == ["b", "a", "c", "e", "d"]


def test_the_first_results_stay_when_more_are_asked_for(index: MilvusIndex) -> None:
    assert [pool_for(limit) for limit in (1, 200, 201, 16_384)] == [200, 200, 2_000, 16_384]
    assert found(index, "red", 3) == found(index, "red", 12)[:3]
