"""What people see is exact, or measured: index types, recall, and indexes of earlier versions."""

import dataclasses
import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.exact_search import photo_like
from cir.errors import ReadOnlyError, StoreError
from cir.store import MilvusStore, Row, exactness, image_id
from cir.store.exactness import index_type_for
from cir.store.records import Recall
from cir.store.registry import _entry
from cir.store.wire import fields_of
from tests.cir.store.samples import DIM, as_made_before, row
from tests.cir.store.test_lite import make_index, make_store, python

LARGE, LARGE_DIM = 100_000, 16


def rows_of(vectors: NDArray[np.float32]) -> list[Row]:
    return [row(str(number), vector) for number, vector in enumerate(vectors)]


@pytest.mark.parametrize(
    ("backend", "small", "expected"),
    [
        ("Milvus Lite", True, "FLAT"),
        ("Milvus Lite", False, "FLAT"),
        ("Milvus server", True, "FLAT"),
        ("Milvus server", False, "AUTOINDEX"),
        ("Zilliz Cloud", True, "AUTOINDEX"),
    ],
)
def test_the_index_type_goes_by_backend_and_size(backend: str, small: bool, expected: str) -> None:
    assert index_type_for(backend, lambda: small) == expected


def test_a_new_index_in_a_lite_file_is_exact(tmp_path: Path) -> None:
    assert make_index(make_store(tmp_path)).info.exact


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusStore]:
    """A Lite file with an index of 100,000 photo-like rows as an earlier version made it."""
    store = make_store(tmp_path_factory.mktemp("large"), idle_seconds=60)
    index = store.create("large", encoder="e", fingerprint="f", dim=LARGE_DIM)
    as_made_before(index)
    vectors = photo_like(LARGE, LARGE_DIM)
    for start in range(0, LARGE, 5_000):
        part = range(start, start + 5_000)
        # Without thumbnails to look after, which takes longer than the rows.
        index._images.upsert(fields_of(row(str(number), vectors[number])) for number in part)
    index.update(state="ready", count=LARGE)
    yield store
    store.close()


@pytest.mark.slow
def test_lost_recall_is_detected_and_mended_without_encoding(large: MilvusStore) -> None:
    index = large.open("large")
    assert index.is_behind()
    before = index.measure_recall()
    assert before is not None and before.mean < 1 and before.worst < 1
    assert (before.at, before.sample, before.images) == (20, 50, LARGE)
    assert large.open("large").info.recall == before  # kept with the index
    vectors = photo_like(LARGE, LARGE_DIM)
    queries = vectors[:50]
    exact = np.argpartition(-(queries @ vectors.T), 20, axis=1)[:, :20]

    def share() -> float:
        found = index.search_vectors(queries, 20)
        pairs = zip(found, exact, strict=True)
        return float(
            np.mean([len({int(h.path) for h in hits} & {*best}) / 20 for hits, best in pairs])
        )

    lost = share()
    assert lost == pytest.approx(before.mean, abs=0.2) and lost < 1
    index.rebuild()
    assert share() == 1
    assert index.info.exact and index.info.recall is None and not index.is_behind()
    large.close()
    index = large.open("large")
    assert index.info.exact and index.count() == LARGE and share() == 1


def test_recall_counts_what_is_found_of_the_nearest(tmp_path: Path) -> None:
    index = make_index(make_store(tmp_path))
    assert index.measure_recall() is None
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(300, DIM)).astype(np.float32) * 7  # of any length
    index.upsert(rows_of(vectors))
    everything = index.search_vectors

    def half(queries: NDArray[np.float32], limit: int) -> object:
        hits = everything(queries, 300)
        return [[*each[:11], *each[200 : 200 + limit - 11]] for each in hits]

    found = exactness.measure_recall(index._images, DIM, half)  # type: ignore[arg-type]
    assert found == Recall(at=20, mean=0.5, worst=0.5, sample=50, images=300)


def test_copies_of_one_image_do_not_cost_recall(tmp_path: Path) -> None:
    index = make_index(make_store(tmp_path))
    index.upsert([row(f"copy {number}") for number in range(60)])
    found = index.measure_recall()
    assert found is not None and found.worst == 1


@pytest.mark.parametrize("images", [2, 5, 21])
def test_a_tiny_index_is_measured_with_what_it_has(tmp_path: Path, images: int) -> None:
    index = make_index(make_store(tmp_path))
    index.upsert(rows_of(np.random.default_rng(1).normal(size=(images, DIM)).astype(np.float32)))
    found = index.measure_recall()
    assert found is not None and (found.worst, found.sample) == (1, images)


def test_measuring_reads_the_embeddings_in_small_pages(tmp_path: Path) -> None:
    index = make_store(tmp_path).create("wide", encoder="e", fingerprint="f", dim=2048)
    vectors = np.random.default_rng(0).normal(size=(400, 2048)).astype(np.float32)
    index.upsert(rows_of(vectors))
    pages = list(index._images.vector_pages(2048, 400))
    assert max(vectors.nbytes for _, vectors in pages) < 2 * 2**20
    ids = [id_ for ids, _ in pages for id_ in ids]
    assert ids == sorted(image_id(str(number)) for number in range(400))


def test_a_small_index_of_an_earlier_version_needs_nothing(tmp_path: Path) -> None:
    index = make_index(make_store(tmp_path))
    as_made_before(index)
    index.upsert([row("a")])
    assert not index.is_behind()
    index.settle()
    assert index.info.index_type == "AUTOINDEX"


def test_an_index_that_outgrows_its_bound_is_rebuilt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = make_index(make_store(tmp_path))
    as_made_before(index)
    index.upsert([row("a"), row("b")])
    monkeypatch.setattr(exactness, "LITE_AUTO_IMAGES", 1)
    assert index.is_behind()
    index.settle()
    assert index.info.exact and index.count() == 2


def test_an_index_whose_maker_died_between_two_index_types_works(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    index = make_index(store)
    as_made_before(index)
    index.upsert([row("a"), row("b")])
    with store._connection.session() as client:
        client.release_collection(index.info.collection)
        client.drop_index(index.info.collection, "vector")
    store.close()
    index = store.open("one")
    assert len(index.search_vectors(row("a").vector[None], 5)[0]) == 2
    index.rebuild()
    assert index.info.exact


@pytest.mark.parametrize("seconds", [0.0, 0.2, 0.5, 0.8])
def test_a_rebuild_that_is_killed_leaves_a_whole_index(tmp_path: Path, seconds: float) -> None:
    store = make_store(tmp_path)
    index = make_index(store)
    as_made_before(index)
    generator = np.random.default_rng(0)
    index.upsert(rows_of(generator.normal(size=(2_000, DIM)).astype(np.float32)))
    store.close()
    code = "index = make(sys.argv[1]).open('one'); print('go', flush=True); index.rebuild()"
    other = python(code, tmp_path / "test.db")
    assert other.stdout is not None and other.stdout.readline() == "go\n"
    time.sleep(seconds)
    other.send_signal(signal.SIGKILL)
    other.communicate()
    index = store.open("one")
    assert index.count() == 2_000
    measured = index.measure_recall()
    assert measured is not None and measured.worst == 1
    index.rebuild()
    assert store.open("one").info.exact and store.open("one").count() == 2_000


def test_others_may_search_while_an_index_is_rebuilt(tmp_path: Path) -> None:
    store, other = make_store(tmp_path), make_store(tmp_path)
    index = make_index(store)
    as_made_before(index)
    vectors = np.random.default_rng(0).normal(size=(3_000, DIM)).astype(np.float32)
    index.upsert(rows_of(vectors))
    over = threading.Event()
    found: list[str] = []

    def search() -> None:
        mine = other.open("one")
        while not over.is_set():
            try:
                found.append(mine.search_vectors(vectors[7:8], 1)[0][0].path)
            except StoreError as error:
                found.append(str(error))

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    index.rebuild()
    over.set()
    for thread in threads:
        thread.join()
    # A search that was under way may be told to try again; none finds anything else.
    assert found.count("7") >= len(found) - len(threads)
    assert index.search_vectors(vectors[7:8], 1)[0][0].path == "7"


def test_a_read_only_store_rebuilds_nothing(tmp_path: Path) -> None:
    make_index(make_store(tmp_path))
    index = MilvusStore(str(tmp_path / "test.db"), data_dir=tmp_path, read_only=True).open("one")
    with pytest.raises(ReadOnlyError):
        index.rebuild()
    with pytest.raises(ReadOnlyError):
        index.measure_recall()


def test_rows_of_earlier_and_later_versions_read(tmp_path: Path) -> None:
    info = make_index(make_store(tmp_path)).info
    facts = dataclasses.asdict(info) | {"phase": "live"}
    recall: dict[str, Any] = {"at": 20, "mean": 0.9, "worst": 0.5, "sample": 50, "images": 7}
    later = json.dumps(facts | {"recall": recall | {"later": 1}})
    assert _entry(info.collection, later).info.recall == Recall(**recall)
    earlier = {key: value for key, value in facts.items() if key not in ("recall", "index_type")}
    read = _entry(info.collection, json.dumps(earlier)).info
    assert (read.recall, read.index_type) == (None, "AUTOINDEX")
