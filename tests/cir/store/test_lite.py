"""What only a Milvus Lite file needs: one process at a time, and files that are something else."""

import importlib.util
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cir.errors import StoreBusyError, StoreError, UsageError
from cir.store import MilvusIndex, MilvusStore, image_id, lite
from cir.store.wire import fields_of
from tests.cir.command_line import CommandLine
from tests.cir.store.samples import DIM, row, unit

PREPARE = """
import sys, time
from pathlib import Path
from cir.store import MilvusStore
from tests.cir.store.samples import DIM, row
FACTS = {"encoder": "e", "fingerprint": "f", "precision": "exact", "dim": DIM}
def make(path, **options):
    return MilvusStore(path, data_dir=Path(path).parent, **options)
"""


def make_store(folder: Path, idle_seconds: float = 3.0, wait_seconds: float = 15.0) -> MilvusStore:
    """A store on a file in the folder."""
    return MilvusStore(
        str(folder / "test.db"),
        data_dir=folder,
        idle_seconds=idle_seconds,
        wait_seconds=wait_seconds,
    )


def make_index(store: MilvusStore, name: str = "one") -> MilvusIndex:
    """An empty index."""
    return store.create(name, encoder="e", fingerprint="f", precision="exact", dim=DIM)


def python(code: str, path: Path) -> "subprocess.Popen[str]":
    """Another process that runs the code with `make(path)` at hand, and the path as argument."""
    return subprocess.Popen(
        [sys.executable, "-c", PREPARE + code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "GLOG_log_dir": str(path.parent),
        },
    )


def test_other_processes_get_their_turn_when_this_one_is_idle(tmp_path: Path) -> None:
    store = make_store(tmp_path, idle_seconds=0.3)
    make_index(store).upsert([row("here")])
    other = python(
        "index = make(sys.argv[1]).open('one'); index.upsert([row('there')]); print(index.count())",
        tmp_path / "test.db",
    )
    output, errors = other.communicate(timeout=30)
    assert (output, other.returncode) == ("2\n", 0), errors
    # And back again, with the same objects.
    assert {record.path for record in store.open("one").iterate()} == {"here", "there"}
    store.close()


def alive(store: MilvusStore) -> bool:
    """Whether this process holds the store's file."""
    return not store._connection._lost()


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether the condition comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def test_an_idle_file_that_was_dear_to_load_stays_open(tmp_path: Path) -> None:
    store = make_store(tmp_path, idle_seconds=0.1)
    index = make_index(store)
    for start in range(0, 10_000, 1_000):
        index._images.upsert(fields_of(row(str(number))) for number in range(start, start + 1_000))
    store.close()
    assert not alive(store)
    index.search_vectors(unit(1.0)[None], 1)
    time.sleep(1.0)
    assert eventually(lambda: index.loaded, 0) and eventually(lambda: alive(store), 0)
    store.close()


def test_a_file_that_has_just_been_filled_stays_open(tmp_path: Path) -> None:
    store = make_store(tmp_path, idle_seconds=0.1)
    index = make_index(store)
    for start in range(0, 10_000, 1_000):
        index._images.upsert(fields_of(row(str(number))) for number in range(start, start + 1_000))
    time.sleep(1.5)
    assert alive(store)
    store.close()


def test_an_idle_file_is_let_go_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lite, "_LOADS", 2)
    store = make_store(tmp_path, idle_seconds=0.1)
    make_index(store)
    store._connection.note_loaded("another", 0.5)
    time.sleep(0.5)
    assert alive(store)
    assert eventually(lambda: not alive(store))


def test_a_dear_file_goes_to_the_process_that_asks_for_it(tmp_path: Path) -> None:
    store = make_store(tmp_path, idle_seconds=0.5)
    make_index(store).upsert([row("here")])
    store._connection.note_loaded("another", 1_000.0)
    time.sleep(1.5)
    assert alive(store)
    begun = time.monotonic()
    other = python("print(make(sys.argv[1]).open('one').count())", tmp_path / "test.db")
    output, errors = other.communicate(timeout=30)
    assert (output, other.returncode) == ("1\n", 0), errors
    assert time.monotonic() - begun < 10
    assert not (tmp_path / ".test.db.wanted").exists()
    assert store.open("one").count() == 1
    store.close()


def test_the_command_line_gets_the_file_while_the_app_is_idle(tmp_path: Path) -> None:
    """With the seconds that people have; the holder is a process of its own, as an app is."""
    holder = python(
        "store = make(sys.argv[1]); index = store.create('one', **FACTS); "
        "store._connection.note_loaded('another', 1_000.0); print('open', flush=True); input(); "
        "print(index.count(), flush=True)",
        tmp_path / "recompose.db",
    )
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "open\n"
        time.sleep(5.0)  # beyond the time for which an app keeps the file from others
        with pytest.raises(StoreBusyError):
            MilvusStore(str(tmp_path / "recompose.db"), data_dir=tmp_path, wait_seconds=0.0).list()
        begun = time.monotonic()
        done = CommandLine(tmp_path).run("indexes")
        assert done.returncode == 0 and "one" in done.stdout, done.stderr
        assert time.monotonic() - begun < 15
        output, _ = holder.communicate("\n", timeout=30)  # and it takes the file up again
        assert output == "0\n"
    finally:
        holder.kill()
        holder.communicate()


def test_a_request_of_a_process_that_died_costs_one_release_at_most(tmp_path: Path) -> None:
    wanted = tmp_path / ".test.db.wanted"
    wanted.touch()
    store = make_store(tmp_path, idle_seconds=0.1)
    index = make_index(store)
    assert not wanted.exists()
    store._connection.note_loaded("another", 1_000.0)
    time.sleep(0.8)
    assert alive(store)
    wanted.touch()
    assert eventually(lambda: not alive(store))
    assert index.count() == 0 and not wanted.exists()
    store._connection.note_loaded("another", 1_000.0)
    time.sleep(0.8)
    assert alive(store)
    store.close()


def test_a_request_that_cannot_be_taken_back_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / ".test.db.wanted").mkdir()
    store = make_store(tmp_path, idle_seconds=0.1)
    index = make_index(store)
    index.upsert([row("a")])
    assert eventually(lambda: not alive(store))
    assert index.count() == 1
    store.close()


def test_a_file_that_stays_busy_is_one_clear_sentence(tmp_path: Path) -> None:
    holder = python(
        "store = make(sys.argv[1], idle_seconds=60); store.create('one', **FACTS); "
        "print('open', flush=True); input()",
        tmp_path / "test.db",
    )
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "open\n"
        store = make_store(tmp_path, wait_seconds=0.5)
        for _ in range(3):
            with pytest.raises(StoreBusyError) as caught:
                store.list()
            assert str(tmp_path / "test.db") in str(caught.value)
            assert "CIR_MILVUS_URI" in str(caught.value)
        assert holder.poll() is None
    finally:
        holder.kill()
        holder.communicate()
    assert [info.name for info in make_store(tmp_path).list()] == ["one"]


def test_a_file_that_another_program_holds_through_milvus_lite_is_busy(tmp_path: Path) -> None:
    code = (
        "from milvus_lite.server_manager import server_manager_instance as manager\n"
        "print(bool(manager.start_and_get_uri(sys.argv[1])), flush=True); input()"
    )
    holder = python(code, tmp_path / "test.db")
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "True\n"
        for _ in range(2):
            with pytest.raises(StoreBusyError):
                make_store(tmp_path, wait_seconds=0.2).list()
    finally:
        holder.kill()
        holder.communicate()


def test_stores_and_threads_of_one_process_share_the_file(tmp_path: Path) -> None:
    stores = [make_store(tmp_path, idle_seconds=0.0) for _ in range(3)]
    make_index(stores[0])
    problems: list[BaseException] = []

    def work(number: int) -> None:
        try:
            index = stores[number % 3].open("one")
            for turn in range(5):
                index.upsert([row(f"{number}-{turn}")])
                assert index.get([image_id(f"{number}-{turn}")])
                time.sleep(0.01)
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert stores[1].open("one").count() == 30


def test_acknowledged_rows_outlive_a_kill(tmp_path: Path) -> None:
    code = """
index = make(sys.argv[1]).create("one", encoder="e", fingerprint="f", precision="exact", dim=4)
for turn in range(10_000):
    index.upsert([row(f"{turn}-{n}") for n in range(50)])
    print(turn, flush=True)
"""
    writer = python(code, tmp_path / "test.db")
    assert writer.stdout is not None
    acknowledged = [int(writer.stdout.readline()) for _ in range(10)]
    writer.send_signal(signal.SIGKILL)
    rest, _ = writer.communicate()
    acknowledged += [int(line) for line in rest.split()]
    index = make_store(tmp_path).open("one")
    paths = {record.path for record in index.iterate()}
    assert {f"{turn}-{n}" for turn in acknowledged for n in range(50)} <= paths
    index.upsert([row("after")])


def test_the_server_part_comes_back_after_a_crash(tmp_path: Path) -> None:
    store = make_store(tmp_path, idle_seconds=60)
    index = make_index(store)
    index.upsert([row("a")])
    listing = subprocess.run(
        ["ps", "-wweo", "pid,args"], capture_output=True, text=True, check=True
    )
    servers = [line.split()[0] for line in listing.stdout.splitlines() if str(tmp_path) in line]
    assert len(servers) == 1
    os.kill(int(servers[0]), signal.SIGKILL)
    time.sleep(0.1)
    assert index.count() == 1
    store.close()


def test_a_forked_process_does_not_use_the_open_file(tmp_path: Path) -> None:
    store = make_store(tmp_path, idle_seconds=60, wait_seconds=0.2)
    make_index(store)
    queue = multiprocessing.get_context("fork").SimpleQueue()

    def child() -> None:
        try:
            queue.put(str(store.list()))
        except StoreBusyError as error:
            queue.put(type(error).__name__)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(20)
    assert queue.get() == "StoreBusyError"
    assert store.open("one").count() == 0
    store.close()


def test_standard_output_stays_clean(tmp_path: Path) -> None:
    code = """
index = make(sys.argv[1]).create("one", encoder="e", fingerprint="f", precision="exact", dim=4)
index.upsert([row("a")])
import numpy as np
from cir.store import filters
filters.expression = lambda conditions: "nonsense ~~ 3"
try:
    index.search_vectors(np.ones((1, 4), dtype="float32"), 3, where=())
except Exception as error:
    sys.stderr.write(str(error))
"""
    process = python(code, tmp_path / "test.db")
    output, errors = process.communicate(timeout=30)
    assert output == ""
    assert "refused the request" in errors and "Traceback" not in errors


@pytest.mark.parametrize("text", ["hello", "SQLite format 2", "x" * 100_000])
def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "test.db").write_text(text)
    with pytest.raises(StoreError, match="not a Milvus Lite file"):
        make_store(tmp_path).list()
    assert (tmp_path / "test.db").read_text() == text


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    damaged = b"SQLite format 3\0" + b"\xff" * 5000
    (tmp_path / "test.db").write_bytes(damaged)
    with pytest.raises(StoreError, match=r"test.db is not a Milvus Lite file, or it is damaged"):
        make_store(tmp_path).list()
    assert (tmp_path / "test.db").read_bytes() == damaged


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "test.db") as database:
        database.execute("create table songs (name text)")
    database.close()
    before = (tmp_path / "test.db").read_bytes()
    with pytest.raises(StoreError, match="not a Milvus Lite file"):
        make_store(tmp_path).list()
    assert (tmp_path / "test.db").read_bytes() == before


@pytest.mark.parametrize("name", ["my index.db", "x" * 37, "naïve.db"])
def test_impossible_file_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="36"):
        MilvusStore(str(tmp_path / name), data_dir=tmp_path)


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    store = MilvusStore(str(tmp_path / "new" / "folder" / "file"), data_dir=tmp_path)
    assert store.list() == [] and store.is_lite and store.backend == "Milvus Lite"


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a folder"):
        MilvusStore(str(tmp_path), data_dir=tmp_path).list()


def test_a_missing_milvus_lite_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(StoreError, match="milvus-lite"):
        make_index(make_store(tmp_path), "one")


def test_thumbnails_of_a_dropped_index_go_unless_shared(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    first, second = make_index(store, "one"), make_index(store, "two")
    first.upsert([row("a", thumbnail=b"A"), row("b", thumbnail=b"B")])
    second.upsert([row("x", unit(1.0), content_of="a")])
    store.drop("one")
    assert second.thumbnails([image_id("x")]) == {image_id("x"): b"A"}
    assert [path.read_bytes() for path in (tmp_path / "thumbnails").rglob("*.jpg")] == [b"A"]
    store.drop("two")
    assert not list((tmp_path / "thumbnails").rglob("*.jpg"))
    store.close()
