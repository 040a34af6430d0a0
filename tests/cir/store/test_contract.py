"""What an index promises, on every backend alike."""

import dataclasses
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from cir.errors import StoreError, UnknownIndexError, UsageError
from cir.store import MilvusIndex, MilvusStore, Row, image_id
from tests.cir.store.samples import COLUMNS, DIM, ODD_NAMES, as_made_before, content, fan, row, unit

QUERY = unit(1.0)[None]


def paths_of(index: MilvusIndex, **options: object) -> list[str]:
    """Paths of one search for `QUERY`, best first."""
    return [hit.path for hit in index.search_vectors(QUERY, 10, **options)[0]]  # type: ignore[arg-type]


def test_every_file_name_survives_closing_and_reopening(
    index: MilvusIndex, store: MilvusStore
) -> None:
    rows = [row(name, metadata={"colour": name}) for name in ODD_NAMES]
    index.upsert(rows)
    store.close()
    again = store.open(index.info.name)
    assert {record.path for record in again.iterate()} == set(ODD_NAMES)
    ids = [image_id(name) for name in ODD_NAMES]
    assert again.get(ids) == [one.record for one in rows]
    found = again.search_vectors(QUERY, len(ODD_NAMES))[0]
    assert sorted(hit.path for hit in found) == sorted(ODD_NAMES)
    again.upsert(rows)
    again.delete(ids[:3])
    assert {record.path for record in again.iterate()} == set(ODD_NAMES[3:])


def test_hits_are_ordered_by_score_then_path(index: MilvusIndex) -> None:
    index.upsert([row("c"), row("a"), *fan(["b", "d", "e"])])
    hits = index.search_vectors(QUERY * 3, 4)[0]
    assert [hit.path for hit in hits] == ["a", "b", "c", "d"]
    assert hits[0].score == pytest.approx(1.0, abs=1e-6)
    assert hits[3].score == pytest.approx(float(unit(1.0, 0.1)[0]), abs=1e-6)
    assert all(-1.0 <= hit.score <= 1.0 for hit in hits)


def test_scores_are_cosines_within_their_range(index: MilvusIndex) -> None:
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(50, DIM)).astype(np.float32) * 100
    index.upsert([row(str(number), vector) for number, vector in enumerate(vectors)])
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for number, hits in enumerate(index.search_vectors(vectors, 50)):
        assert hits[0].path == str(number) and hits[0].score <= 1.0
        expected = {str(other): score for other, score in enumerate(units @ units[number])}
        assert {hit.path: hit.score for hit in hits} == pytest.approx(expected, abs=1e-5)


def test_excluded_images_are_replaced_by_the_next(index: MilvusIndex) -> None:
    index.upsert(fan(["a", "b", "c", "d"]))
    queries = np.concatenate([QUERY, QUERY, QUERY])
    excluded = [[image_id("a")], [], [image_id("a"), image_id("c"), image_id("unknown")]]
    found = index.search_vectors(queries, 2, exclude_ids=excluded)
    assert [[hit.path for hit in hits] for hits in found] == [["b", "c"], ["a", "b"], ["b", "d"]]


def test_each_query_can_have_its_own_gallery(index: MilvusIndex) -> None:
    index.upsert(fan(["a", "b", "c", "d"]))
    only = [[image_id("d"), image_id("b")], [], [image_id("c"), image_id("unknown")]]
    excluded = [[image_id("b")], [], []]
    queries = np.concatenate([QUERY, QUERY, QUERY])
    found = index.search_vectors(queries, 3, only_ids=only)
    assert [[hit.path for hit in hits] for hits in found] == [["b", "d"], [], ["c"]]
    found = index.search_vectors(queries, 3, only_ids=only, exclude_ids=excluded)
    assert [[hit.path for hit in hits] for hits in found] == [["d"], [], ["c"]]


def test_a_search_sees_writes_and_deletions_at_once(index: MilvusIndex) -> None:
    for round_ in range(3):
        index.upsert([row(f"{round_}")])
        assert paths_of(index) == [f"{round_}"]
        assert index.count() == 1
        index.delete([image_id(f"{round_}")])
        assert paths_of(index) == []
        assert index.count() == 0


def test_upsert_replaces_and_the_last_of_equal_ids_wins(index: MilvusIndex) -> None:
    index.upsert([row("a", metadata={"year": 1}), row("a", metadata={"year": 2})])
    assert index.count() == 1
    index.upsert([row("a", metadata={"year": 3})])
    assert [record.metadata for record in index.iterate()] == [{"year": 3}]


def test_metadata_comes_back_as_it_was(index: MilvusIndex) -> None:
    metadata = {
        "colour": 'line\nbreak \\ "quote" \' é 😀',
        "year": -(2**62),
        "price": 3.5,
        "new": False,
        'odd "name"\n': "",
    }
    index.upsert([row("a", metadata=metadata), row("b", metadata={"year": None, "price": 2**80})])
    assert index.get([image_id("a")])[0].metadata == metadata
    assert index.get([image_id("b")])[0].metadata == {"price": 2.0**80}
    assert {hit.path: hit.metadata for hit in index.search_vectors(QUERY, 5)[0]}["a"] == metadata


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (row("a", unit(float("nan"))), "not a finite number"),
        (row("a", np.full(DIM, np.inf, dtype=np.float32)), "not a finite number"),
        (row("a", np.ones(DIM + 1, dtype=np.float32)), r"shape \(5,\), the index holds \(4,\)"),
        (row("a", metadata={"size": 3}), "no metadata column 'size'"),
        (row("a", metadata={"year": "3"}), "'year' holds values of type integer, not '3'"),
        (row("a", metadata={"year": True}), "type integer"),
        (row("a", metadata={"year": 2**63}), "type integer"),
        (row("a", metadata={"price": float("nan")}), "type number"),
        (row("a", metadata={"new": 1}), "type boolean"),
        (row("a", metadata={"colour": 1}), "type string"),
        (row("a", metadata={"colour": "x" * 70_000}), "longer than 65000 bytes"),
        (row("a" * 20_000), "longer than 16384 bytes"),
        (row(""), "no path"),
        (Row(dataclasses.replace(row("a").record, id="o'brien"), unit(1.0)), "32 hex digits"),
        (Row(dataclasses.replace(row("a").record, content_hash="../x"), unit(1.0)), "32 hex"),
    ],
)
def test_an_unsound_row_stops_the_whole_write(index: MilvusIndex, bad: Row, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        index.upsert([row("good"), bad])
    assert index.count() == 0


def test_a_search_refuses_what_it_cannot_do(index: MilvusIndex) -> None:
    for limit in (0, 16_385):
        with pytest.raises(UsageError, match="1 to 16384"):
            index.search_vectors(QUERY, limit)
    with pytest.raises(StoreError, match=r"shape \(n, 4\), not \(1, 3\)"):
        index.search_vectors(np.ones((1, 3), dtype=np.float32), 5)
    with pytest.raises(StoreError, match="finite"):
        index.search_vectors(QUERY * np.float32("nan"), 5)
    assert index.search_vectors(np.empty((0, DIM), dtype=np.float32), 5) == []


def test_more_rows_than_one_answer_holds(shared_index: MilvusIndex, store: MilvusStore) -> None:
    index = store.create(
        "large", encoder="e", fingerprint="f", precision="exact", dim=DIM, exact=True
    )
    total = 17_000
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(total, DIM)).astype(np.float32)
    index.upsert([row(f"{n}.jpg", vector) for n, vector in enumerate(vectors)])
    assert index.count() == total
    ids = [record.id for record in index.iterate()]
    assert len(ids) == len(set(ids)) == total and ids == sorted(ids)
    assert len(index.get(ids)) == total
    assert len(index.search_vectors(QUERY, 16_384, exclude_ids=[ids[:4]])[0]) >= 16_380
    assert len(index.search_vectors(QUERY, 16_384, only_ids=[ids])[0]) == 16_384
    found = index.search_vectors(vectors[:20], 1)
    assert [hits[0].path for hits in found] == [f"{n}.jpg" for n in range(20)]
    store.drop("large")


def test_copies_of_a_file_are_found_by_content(index: MilvusIndex) -> None:
    index.upsert([row("a"), row("copy", content_of="a"), row("b")])
    assert index.ids_with_content(content("a")) == sorted([image_id("a"), image_id("copy")])
    assert index.ids_with_content(content("none")) == []


def test_thumbnails_stay_until_nothing_needs_them(index: MilvusIndex) -> None:
    index.upsert([row("a", thumbnail=b"A"), row("b", thumbnail=b"B"), row("c")])
    ids = [image_id(name) for name in ("a", "b", "c", "unknown")]
    assert index.thumbnails(ids) == {ids[0]: b"A", ids[1]: b"B"}
    # Renamed, then unchanged but for its metadata: the same content brings the same thumbnail.
    index.upsert([row("renamed", content_of="a"), row("b", metadata={"year": 1})])
    index.delete([ids[0]])
    renamed = image_id("renamed")
    assert index.thumbnails([renamed, ids[1]]) == {renamed: b"A", ids[1]: b"B"}
    index.upsert([row("renamed", content_of="new", thumbnail=b"N")])
    assert index.thumbnails([renamed]) == {renamed: b"N"}
    index.upsert([row("renamed", content_of="a")])
    assert index.thumbnails([renamed]) == {}


def test_many_copies_of_a_file_keep_their_thumbnail_and_leave_others_theirs(
    index: MilvusIndex,
) -> None:
    copies = [f"copy {number}" for number in range(450)]
    index.upsert([row(name, content_of="a", thumbnail=b"A") for name in copies])
    index.upsert([row("b", thumbnail=b"B"), row("c")])
    index.upsert([row("b2", content_of="b"), row("a2", content_of="a"), row("c", unit(0.5))])
    ids = [image_id(name) for name in ("a2", "b2", "c")]
    assert index.thumbnails(ids) == {ids[0]: b"A", ids[1]: b"B"}


def test_metadata_can_change_without_encoding_again(index: MilvusIndex) -> None:
    index.upsert([row("a", unit(1.0, 0.5), thumbnail=b"A"), row("b")])
    ids = [image_id("b"), image_id("a")]
    rows = index.rows(ids)
    assert [one.record.path for one in rows] == ["b", "a"]
    changed = [
        dataclasses.replace(one, record=dataclasses.replace(one.record, metadata={"year": 7}))
        for one in rows
    ]
    index.upsert(changed)
    assert [record.metadata for record in index.get(ids)] == [{"year": 7}] * 2
    assert index.vectors(ids) == pytest.approx(np.stack([unit(1.0), unit(1.0, 0.5)]), abs=1e-6)
    assert index.thumbnails(ids) == {image_id("a"): b"A"}
    with pytest.raises(UsageError, match="no image with id"):
        index.vectors([image_id("unknown")])


def test_deleting_takes_keys_only(index: MilvusIndex) -> None:
    with pytest.raises(ValueError, match="32 hex digits"):
        index.delete(["x') OR ('a'='a"])
    index.delete([])
    index.delete([image_id("unknown")])


def test_facts_in_the_registry_change(index: MilvusIndex, store: MilvusStore) -> None:
    index.update(state="ready", count=3, source="/somewhere \udcff")
    info = store.open(index.info.name).info
    assert (info.state, info.count, info.source) == ("ready", 3, "/somewhere \udcff")
    assert info.updated >= info.created and dict(info.columns) == COLUMNS
    with pytest.raises(UsageError, match="dim, name"):
        index.update(name="x", dim=3)


def test_unknown_names_are_answered_with_the_known_ones(
    index: MilvusIndex, store: MilvusStore
) -> None:
    for call in (store.open, store.drop):
        with pytest.raises(UnknownIndexError, match=r'There are: .*"shared"'):
            call("nope")
    with pytest.raises(UnknownIndexError, match="no gallery"):
        store.open("shared", kind="gallery")


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "shared"])
def test_impossible_names_are_refused(index: MilvusIndex, store: MilvusStore, name: str) -> None:
    with pytest.raises(UsageError):
        store.create(name, encoder="e", fingerprint="f", precision="exact", dim=DIM)


def test_numbers_compare_whatever_their_spelling(index: MilvusIndex) -> None:
    values = {"int": 3, "float": 3.0, "more": 3.5, "less": -7, "tiny": 5e-324, "huge": 1e308}
    index.upsert([row(name, metadata={"price": value}) for name, value in values.items()])

    def found(text: str) -> list[str]:
        return sorted(paths_of(index, where=[text]))

    assert found("price=3") == found("price = 3.0") == ["float", "int"]
    assert found("price>3") == ["huge", "more"]
    assert found("price<=-7") == ["less"]
    assert found("price>=1e308") == ["huge"]
    assert found("price!=3") == ["huge", "less", "more", "tiny"]
    assert found("price<=1e-300") == ["less", "tiny"]


def test_rows_without_a_value_differ_from_every_value(index: MilvusIndex) -> None:
    rows = {"red": {"colour": "Red", "new": True, "year": 2**62 + 1}, "none": {}}
    index.upsert([row(path, metadata=metadata) for path, metadata in rows.items()])

    def found(*texts: str) -> list[str]:
        return sorted(paths_of(index, where=texts))

    assert found("colour=Red") == found("new=true") == found(f"year={2**62 + 1}") == ["red"]
    assert found("colour!=Red") == found("new!=yes") == found(f"year!={2**62 + 1}") == ["none"]
    assert found(f"year={2**62}") == found("colour=red") == found("new=no") == []
    assert found("colour>=Re", "colour<Rf", "year>0") == ["red"]
    assert found(f"year>={-(2**63) + 1}") == found(f"year<={2**63 - 1}") == ["red"]


def test_recall_is_measured_and_kept_and_a_rebuild_is_exact(
    index: MilvusIndex, store: MilvusStore
) -> None:
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(400, DIM)).astype(np.float32)
    index.upsert([row(f"{n}.jpg", vector) for n, vector in enumerate(vectors)])
    measured = index.measure_recall()
    assert measured is not None and (measured.at, measured.sample, measured.images) == (20, 50, 400)
    assert 0 <= measured.worst <= measured.mean <= 1
    assert store.open(index.info.name).info.recall == measured
    index.rebuild()
    assert store.open(index.info.name).info.exact and not index.is_behind()
    again = index.measure_recall()
    assert again is not None and again.worst == 1
    assert len(index.search_vectors(vectors[:1], 400)[0]) == 400


def test_an_index_is_looked_at_again_when_it_has_grown(
    index: MilvusIndex, store: MilvusStore
) -> None:
    if store.is_lite:
        return  # exact in any case: tests of Lite's own say when it is rebuilt
    as_made_before(index)
    for total, measured in ((40, 40), (45, 40), (60, 60)):
        index.upsert(fan([f"{number}" for number in range(total)]))
        index.settle()
        kept = store.open(index.info.name).info.recall
        assert kept is not None and kept.images == measured
    index.rebuild()
    assert index.info.exact


def test_every_read_sees_what_this_process_wrote_before(
    index: MilvusIndex, store: MilvusStore, tmp_path: Path
) -> None:
    """Through any object and from any thread, and what was deleted is gone."""
    again = reopened(store, tmp_path).open(index.info.name)
    key = image_id("a")
    reads: list[Callable[[], object]] = [
        lambda: paths_of(again),
        lambda: again.ids_with_content(content("a")),
        again.count,
        lambda: again.get([key]),
        lambda: again.some(5),
        lambda: again.rows([key]),
        lambda: again.thumbnails([key]),
    ]
    for read in reads * 2:
        assert not read()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(index.upsert, [row("a", thumbnail=b"A")]).result()
        assert read()
        assert read()
        index.delete([key])


def test_the_list_of_indexes_follows_what_this_process_does(
    store: MilvusStore, tmp_path: Path
) -> None:
    other = reopened(store, tmp_path)
    for _ in range(2):
        index = store.create("short-lived", encoder="e", fingerprint="f", dim=DIM)
        assert "short-lived" in [info.name for info in other.list()]
        index.update(state="ready", count=5)
        assert other.open("short-lived").info.count == 5
        other.drop("short-lived")
        assert "short-lived" not in [info.name for info in store.list()]
        with pytest.raises(UnknownIndexError):
            store.open("short-lived")


def reopened(store: MilvusStore, tmp_path: Path) -> MilvusStore:
    """Another store of the same Milvus, in this process."""
    if store.is_lite:
        path = store.place.removeprefix("Milvus Lite (").removesuffix(")")
        return MilvusStore(path, data_dir=Path(path).parent)
    return MilvusStore(store.place.removeprefix("Milvus at "), "root:Milvus", data_dir=tmp_path)


def test_a_page_s_reads_do_not_wait_for_other_processes(
    index: MilvusIndex, store: MilvusStore
) -> None:
    """Beside one read that does wait; in a Lite file no read waits, which is as good."""
    index.upsert([row("a", thumbnail=b"A")])

    def page(opened: MilvusIndex) -> None:
        store.list()
        store.open(opened.info.name)
        opened.ids_with_content(content("a"))
        opened.thumbnails([hit.id for hit in opened.search_vectors(QUERY, 5)[0]])

    page(index)
    strong = store.open(index.info.name, strong=True)
    waiting = min(seconds(strong.count) for _ in range(5))
    assert min(seconds(page, index) for _ in range(10)) < max(0.1, 0.7 * waiting)


def seconds(call: Callable[..., object], *arguments: object) -> float:
    started = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - started


def test_words_are_found_or_it_is_said_why_not(store: MilvusStore, index: MilvusIndex) -> None:
    index.upsert([row("a"), row("b", metadata={"colour": "red"})])
    if store.is_lite:
        assert index.words_state == "available"
        assert index.search_vectors(QUERY, 1, words=["RED"])[0][0].path == "b"
        return
    assert "servers from 2.5 on can" in index.words_state
    with pytest.raises(UsageError, match="cannot search for words"):
        index.search_vectors(QUERY, 1, words=["red"])
    index.rebuild()
    assert "servers from 2.5 on can" in index.words_state
    assert paths_of(index) == ["a", "b"] == paths_of(store.open(index.info.name))
