"""Exported and imported, an index is the same; what is no such file leaves nothing."""

import dataclasses
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cir.errors import ReadOnlyError, RecomposeError, StoreError, UsageError
from cir.indexing.backup import export_index, import_index, usual_file
from cir.progress import Progress
from cir.store import ColumnType, ImageRecord, MilvusIndex, MilvusStore, Row, image_id
from tests.cir.album import Album, counts
from tests.cir.command_line import CommandLine
from tests.cir.store.samples import COLUMNS, ODD_NAMES, content
from tests.drawn import content as picture_file
from tests.drawn import solid
from tests.milvus_server import MilvusServer

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

DIM = 16
VALUES = {"colour": "line\nbreak é 😀", "year": -(2**62), "price": 3.5, "new": False}
Facts = dict[str, Any]


def units(count: int, dim: int = DIM) -> NDArray[np.float32]:
    vectors = np.random.default_rng(0).normal(size=(count, dim))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / lengths, dtype=np.float32)


def rows(names: list[str]) -> list[Row]:
    """A row a name; each second has metadata, and all but each fifth a thumbnail."""
    jpegs = [picture_file(solid("red", (side, 20)), "JPEG") for side in range(20, 30)]
    return [
        Row(
            ImageRecord(
                *(image_id(name), name, content(name), 10 + at, 1_700_000_000_000_000_000 + at),
                *(640, 480),
                metadata=VALUES | {'odd "name"\n': ""} if at % 2 else {},
            ),
            vector,
            jpegs[at % 10] if at % 5 else None,
        )
        for at, (name, vector) in enumerate(zip(names, units(len(names)), strict=True))
    ]


def names_in(folder: Path) -> list[str]:
    return sorted(
        path.name for path in folder.iterdir() if not path.name.endswith((".lock", ".held"))
    )


def create(store: MilvusStore, name: str, columns: dict[str, ColumnType], **facts: Any) -> Any:
    usual = {"encoder": "theirs:made", "fingerprint": "f00", "precision": "fp16"}
    return store.create(name, **(usual | facts), dim=DIM, columns=columns)


@pytest.fixture(scope="module")
def made(local_store: MilvusStore) -> MilvusIndex:
    """An index of 2,516 images, some with names as odd as they come."""
    index: MilvusIndex = create(
        local_store, "exported", COLUMNS, source="/photos", weights="/w", tokenizer="/t"
    )
    index.upsert(rows([*ODD_NAMES, *(f"{number}.jpg" for number in range(2500))]))
    index.update(state="ready", count=index.count(), title_column=next(iter(COLUMNS)))
    return index


@pytest.fixture(scope="module")
def file(made: MilvusIndex, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("backup") / "exported.parquet"
    export_index(made, path)
    return path


@pytest.fixture
def elsewhere(tmp_path: Path) -> MilvusStore:
    """Another Lite file, empty."""
    return MilvusStore(str(tmp_path / "elsewhere.db"), data_dir=tmp_path)


def require_equal(one: MilvusIndex, other: MilvusIndex) -> None:
    """Fail unless records, embeddings, thumbnails and answers are the same, bit for bit."""
    records = list(one.iterate())
    assert list(other.iterate()) == records
    ids = [record.id for record in records]
    assert one.vectors(ids).tobytes() == other.vectors(ids).tobytes()
    assert one.thumbnails(ids) == other.thumbnails(ids)
    queries = units(20)
    assert other.search_vectors(queries, 50) == one.search_vectors(queries, 50)
    where = ["new=false", "price>3"]
    assert other.search_vectors(queries, 5, where) == one.search_vectors(queries, 5, where) != []


def test_an_imported_index_is_the_same_bit_for_bit(
    made: MilvusIndex, file: Path, elsewhere: MilvusStore
) -> None:
    told: list[Progress] = []
    done = import_index(elsewhere, file, on_progress=told.append)
    assert (done.index, done.images, done.source) == ("exported", 2516, "/photos")
    assert (told[0].counts, told[-1].counts) == ("0 of 2,516", "2,516 of 2,516")
    again = elsewhere.open("exported")
    require_equal(made, again)
    kept = ["encoder", "fingerprint", "precision", "dim", "columns", "state", "count", "exact"]
    kept += ["title_column"]
    assert [getattr(again.info, key) for key in kept] == [getattr(made.info, key) for key in kept]
    # Of this machine: a file of somebody else must not say what is opened here.
    assert (again.info.source, again.info.weights, again.info.tokenizer) == (None, None, None)
    assert b"/w" not in head_of(file) and b"/t" not in head_of(file)


def test_an_update_after_an_import_finds_everything_unchanged(
    album: Album, elsewhere: MilvusStore, tmp_path: Path
) -> None:
    album.ingest()
    export_index(album.index, tmp_path / "album.parquet")
    import_index(elsewhere, tmp_path / "album.parquet")
    moved = Album(elsewhere, album.encoder, album.folder, album.name)
    assert counts(moved.ingest()) == (0, 0, 18, 0, 0) and album.encoder.encoded == 0
    assert moved.index.info.source == str(album.folder)
    picture = album.encoder.encode_images([solid("green")])
    assert moved.index.search_vectors(picture, 9) == album.index.search_vectors(picture, 9)


def test_from_a_file_to_a_server_and_back(
    made: MilvusIndex, file: Path, server: MilvusServer, elsewhere: MilvusStore, tmp_path: Path
) -> None:
    remote = MilvusStore(server.uri, server.token, data_dir=tmp_path)
    import_index(remote, file, "from a file")
    there = remote.open("from a file")
    assert there.info.exact
    records = list(made.iterate())
    assert list(there.iterate()) == records
    ids = [record.id for record in records]
    assert there.thumbnails(ids) == made.thumbnails(ids)
    found = [[hit.path for hit in hits] for hits in there.search_vectors(units(20), 10)]
    assert found == [[hit.path for hit in hits] for hits in made.search_vectors(units(20), 10)]
    export_index(there, tmp_path / "back.parquet")
    remote.drop("from a file")
    import_index(elsewhere, tmp_path / "back.parquet", "back")
    require_equal(made, elsewhere.open("back"))


def test_a_file_that_is_there_stays_unless_it_may_be_replaced(
    made: MilvusIndex, tmp_path: Path
) -> None:
    target = tmp_path / "mine.parquet"
    target.write_text("mine")
    with pytest.raises(UsageError, match=r"already a file .*mine\.parquet"):
        export_index(made, target)
    assert target.read_text() == "mine"
    assert export_index(made, target, replace=True).bytes == target.stat().st_size > 10_000
    with pytest.raises(UsageError, match="is a folder"):
        export_index(made, tmp_path, replace=True)
    with pytest.raises(RecomposeError, match=r"cannot be written to .*No such file"):
        export_index(made, tmp_path / "nowhere" / "x.parquet")
    assert names_in(tmp_path) == ["mine.parquet"]


def test_an_export_that_is_stopped_leaves_no_file(made: MilvusIndex, tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_index(made, tmp_path / "x.parquet", on_progress=stop)
    assert names_in(tmp_path) == []


FULL_DISK = """
import resource, sys
from pathlib import Path
from cir.errors import RecomposeError
from cir.indexing.backup import export_index
from cir.store import MilvusStore
store = MilvusStore(sys.argv[1], data_dir=Path(sys.argv[1]).parent)
index = store.open("exported")
index.count()
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    export_index(index, Path(sys.argv[2]))
except RecomposeError as error:
    print(error)
"""


def test_a_disk_without_room_is_told_and_no_file_stays(
    made: MilvusIndex, local_store: MilvusStore, command_line: CommandLine, tmp_path: Path
) -> None:
    local_store.close()
    place = local_store.place.removeprefix("Milvus Lite (").removesuffix(")")
    (tmp_path / "out").mkdir()
    done = command_line.run(place, tmp_path / "out" / "x.parquet", code=FULL_DISK)
    assert "cannot be written to" in done.stdout and "Make room" in done.stdout, done
    assert names_in(tmp_path / "out") == []


def test_an_index_that_changes_meanwhile_is_not_exported(
    local_store: MilvusStore, made: MilvusIndex, tmp_path: Path
) -> None:
    def change(progress: Progress) -> None:
        if progress.done == 0:
            local_store.open("exported").update(count=7)

    with pytest.raises(StoreError, match="was changed while it was exported"):
        export_index(made, tmp_path / "x.parquet", on_progress=change)
    assert names_in(tmp_path) == []
    made.update(count=2516)


def test_embeddings_of_any_length_are_written_at_unit_length(
    elsewhere: MilvusStore, tmp_path: Path
) -> None:
    index = create(elsewhere, "long", {})
    (one,) = rows(["a"])
    index.upsert([Row(one.record, one.vector * 100, b"no JPEG")])
    export_index(index, tmp_path / "long.parquet")
    import_index(elsewhere, tmp_path / "long.parquet", "short")
    short = elsewhere.open("short")
    assert np.linalg.norm(short.vectors([one.record.id])) == pytest.approx(1.0, abs=1e-6)
    assert short.info.state == "building"  # as it was
    index.upsert([Row(one.record, one.vector * 0)])
    with pytest.raises(StoreError, match="of 'a' has no direction"):
        export_index(index, tmp_path / "none.parquet")
    assert names_in(tmp_path) == ["elsewhere.db", "long.parquet", "thumbnails"]


def test_an_empty_index_comes_back_empty(elsewhere: MilvusStore, tmp_path: Path) -> None:
    index = create(elsewhere, "empty", {"x": "integer"})
    index.update(state="ready")
    export_index(index, tmp_path / "empty.parquet")
    assert import_index(elsewhere, tmp_path / "empty.parquet", "again").images == 0
    assert elsewhere.open("again").info.state == "ready"


def test_a_name_that_is_taken_is_refused(made: MilvusIndex, file: Path, elsewhere: Any) -> None:
    create(elsewhere, "exported", {})
    with pytest.raises(UsageError, match='already an index "exported"'):
        import_index(elsewhere, file)
    assert elsewhere.open("exported").count() == 0
    import_index(elsewhere, file, "another")
    with pytest.raises(UsageError, match='already an index "another"'):
        import_index(elsewhere, file, "another")


def test_a_read_only_recompose_exports_and_imports_nothing(
    file: Path, elsewhere: MilvusStore, tmp_path: Path
) -> None:
    import_index(elsewhere, file)
    locked = MilvusStore(str(tmp_path / "elsewhere.db"), data_dir=tmp_path, read_only=True)
    export_index(locked.open("exported"), tmp_path / "again.parquet")
    with pytest.raises(ReadOnlyError):
        import_index(locked, file, "another")
    assert [info.name for info in elsewhere.list()] == ["exported"]


def test_an_import_that_was_stopped_is_not_complete_and_goes_on(
    made: MilvusIndex, file: Path, elsewhere: MilvusStore, tmp_path: Path
) -> None:
    def stop(progress: Progress) -> None:
        if progress.done > 300:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_index(elsewhere, file, on_progress=stop)
    half = elsewhere.open("exported")
    assert half.info.state == "building" and 0 < half.count() < 2516
    export_index(made, tmp_path / "another.parquet")  # another export is another import
    with pytest.raises(UsageError, match="already an index"):
        import_index(elsewhere, tmp_path / "another.parquet")
    import_index(elsewhere, file)
    require_equal(made, elsewhere.open("exported"))
    assert elsewhere.open("exported").info.import_of == ""


def test_what_is_written_into_a_half_import_is_told(file: Path, elsewhere: MilvusStore) -> None:
    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_index(elsewhere, file, on_progress=stop)
    elsewhere.open("exported").upsert(rows(["not of the export"]))
    with pytest.raises(StoreError, match=r"holds 2,517 images, and .* 2,516"):
        import_index(elsewhere, file)
    assert elsewhere.open("exported").info.state == "building"


DYING = """
import os, signal, sys
from cir.store.index import MilvusIndex
at, write = int(sys.argv.pop(1)), MilvusIndex.upsert
def upsert(*arguments, **options):
    global at
    at -= 1
    if at < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    write(*arguments, **options)
MilvusIndex.upsert = upsert
from cir.cli.app import app
app()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill")
@pytest.mark.parametrize("moment", [0, 4])
def test_a_killed_import_is_not_complete_and_goes_on(
    made: MilvusIndex, file: Path, command_line: CommandLine, moment: int
) -> None:
    process = command_line.start(moment, "import", file, code=DYING)
    process.communicate(timeout=100)
    assert process.returncode == -signal.SIGKILL
    (listed,) = command_line.document("indexes")["indexes"]
    assert (listed["state"], listed["count"]) == ("building", 0)
    assert command_line.document("import", file)["images"] == 2516
    data = command_line.data_dir
    require_equal(made, MilvusStore(str(data / "recompose.db"), data_dir=data).open("exported"))


def test_thumbnails_of_other_indexes_stay_as_they_are(
    elsewhere: MilvusStore, tmp_path: Path
) -> None:
    """Beside a Lite file indexes share them by content hash, of which a file may tell any."""
    (row,) = rows(["a"])
    mine, theirs = (picture_file(solid(colour), "JPEG") for colour in ("green", "red"))
    other = MilvusStore(str(tmp_path / "other.db"), data_dir=tmp_path)
    for store, jpeg in ((elsewhere, mine), (other, theirs)):
        create(store, "a", {}).upsert([dataclasses.replace(row, thumbnail=jpeg, record=plain(row))])
    export_index(other.open("a"), tmp_path / "a.parquet")
    import_index(elsewhere, tmp_path / "a.parquet", "theirs")
    for name in ("a", "theirs"):
        assert elsewhere.open(name).thumbnails([row.record.id]) == {row.record.id: mine}


def plain(row: Row) -> ImageRecord:
    return dataclasses.replace(row.record, metadata={})


def head_of(file: Path) -> bytes:
    found: bytes = parquet.read_metadata(file).metadata[b"recompose"]
    return found


def rewrite(
    file: Path,
    target: Path,
    *,
    change: Callable[[list[Facts]], object] = lambda cells: None,
    head: bytes | Facts = b"",
    schema: Callable[[Any], Any] = lambda schema: schema,
    **options: Any,
) -> None:
    """Write a file with its first ten rows anew, but for what is changed in rows, head or types."""
    table = parquet.read_table(file).slice(0, 10)
    cells = table.to_pylist()
    change(cells)
    if isinstance(head, dict):
        head = json.dumps(json.loads(head_of(file)) | head).encode()
    new = schema(table.schema).with_metadata({b"recompose": head or head_of(file)})
    usual = {"compression": "none", "use_dictionary": False}
    parquet.write_table(pyarrow.Table.from_pylist(cells, new), target, **(usual | options))


def in_row(**facts: Any) -> Facts:
    return {"change": lambda cells: cells[3].update(facts)}


def at_path(path: str, **facts: Any) -> Facts:
    """A row of this path with the id that belongs to it, in its place among the others."""

    def change(cells: list[Facts]) -> None:
        cells[:] = [cells[0] | {"id": image_id(path), "path": path} | facts]

    return {"change": change}


def without(name: str) -> Callable[[Any], Any]:
    return lambda schema: schema.remove(schema.get_field_index(name))


HOSTILE: dict[str, tuple[Facts, str]] = {
    "other types": ({"schema": without("size")}, "its columns are not"),
    "compressed": ({"compression": "zstd"}, "another program"),
    "dictionary": ({"use_dictionary": True}, "another program"),
    "no head": ({"head": b"{}"}, "Recompose did not write it"),
    "no json": ({"head": b"{"}, "is damaged"),
    "deep json": ({"head": b"[" * 100_000}, "is damaged"),
    "no object": ({"head": b"[]"}, "Recompose did not write it"),
    "later version": ({"head": {"version": 2}}, "in version 2 of the format"),
    "odd version": ({"head": {"version": [1]}}, "in version"),
    "dim": ({"head": {"dim": DIM + 1}}, "its columns are not"),
    "huge dim": ({"head": {"dim": 2**40}}, '"dim"'),
    "true dim": ({"head": {"dim": True}}, '"dim"'),
    "no name": ({"head": {"name": "  "}}, '"name"'),
    "long name": ({"head": {"name": "x" * 101}}, '"name"'),
    "number for an encoder": ({"head": {"encoder": 5}}, '"encoder"'),
    "state": ({"head": {"state": "dropping"}}, '"state"'),
    "unhashable state": ({"head": {"state": []}}, '"state"'),
    "columns": ({"head": {"columns": {"year": "date"}}}, '"columns"'),
    "columns of another kind": ({"head": {"columns": []}}, '"columns"'),
    "id": ({"head": {"id": "../x"}}, '"id"'),
    "id of another path": (in_row(path="other.jpg"), "its id is not that of its path"),
    "id that is no key": (in_row(id="x') OR ('a'='a"), "its id is not that of its path"),
    "content hash": (in_row(content_hash="../../x"), "32 hex digits"),
    "nan": (in_row(vector=[float("nan")] * DIM), "not of unit length"),
    "infinite": (in_row(vector=[float("inf")] * DIM), "not of unit length"),
    "length": (in_row(vector=[1.0] * DIM), "not of unit length"),
    "gif": (in_row(thumbnail=picture_file(solid("red"), "GIF")), "not a small JPEG"),
    "script": (in_row(thumbnail=b"<script>alert(1)</script>"), "not a small JPEG"),
    "large": (in_row(thumbnail=picture_file(solid("red", (2000, 9)), "JPEG")), "not a small JPEG"),
    "long": (
        in_row(thumbnail=picture_file(solid("red"), "JPEG") + b"x" * 300_000),
        "not a small JPEG",
    ),
    "twice": ({"change": lambda cells: cells.insert(4, cells[3])}, "out of order"),
    "out of the folder": (at_path("../../etc/passwd"), "leads out"),
    "absolute": (at_path("/etc/passwd"), "leads out"),
    "empty path": (at_path(""), "no path"),
    "long path": (at_path("x" * 17_000), "longer than 16384 bytes"),
    "escape": (at_path("\U000f0000ffffff"), "text is damaged"),
    "value": (in_row(metadata={"price": float("nan")}), "values of type number"),
    "long value": (in_row(metadata={"colour": "x" * 70_000}), "longer than 65000 bytes"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_one_sentence_and_leaves_nothing(
    kind: str, file: Path, hostile_store: MilvusStore, tmp_path: Path
) -> None:
    changes, message = HOSTILE[kind]
    rewrite(file, tmp_path / "hostile.parquet", **changes)
    refuse(hostile_store, tmp_path / "hostile.parquet", message)


@pytest.fixture(scope="module")
def hostile_store(tmp_path_factory: pytest.TempPathFactory) -> MilvusStore:
    folder = tmp_path_factory.mktemp("hostile")
    return MilvusStore(str(folder / "hostile.db"), data_dir=folder)


def refuse(store: MilvusStore, path: Path, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        import_index(store, path, "hostile")
    assert str(caught.value).count("\n") == 0 and len(str(caught.value)) < 1000
    assert store.list() == []
    data = Path(store.place.removeprefix("Milvus Lite (")).parent
    assert list(data.rglob("*.jpg")) == []


def test_what_is_no_such_file_is_refused(
    file: Path, hostile_store: MilvusStore, tmp_path: Path
) -> None:
    whole = file.read_bytes()
    for name, written, message in [
        ("empty", b"", "no Parquet file"),
        ("text", b"hello", "no Parquet file"),
        ("cut off", whole[:-100], "no Parquet file, or its end is missing"),
        ("end alone", whole[-5000:], "damaged"),
        ("footer", whole[:-8] + b"\xff\xff\xff\x7fPAR1", "its footer is damaged"),
        ("noise", b"PAR1" + os.urandom(5000) + b"\x10\x00\x00\x00PAR1", "damaged"),
    ]:
        (tmp_path / name).write_bytes(written)
        refuse(hostile_store, tmp_path / name, message)
    parquet.write_table(pyarrow.table({"a": [1]}), tmp_path / "foreign")
    refuse(hostile_store, tmp_path / "foreign", "Recompose did not write it")
    refuse(hostile_store, tmp_path / "none", "There is no file")
    refuse(hostile_store, tmp_path, "not an ordinary file")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        refuse(hostile_store, tmp_path / "pipe", "not an ordinary file")


def test_flipped_bytes_never_end_in_a_traceback(
    file: Path, hostile_store: MilvusStore, tmp_path: Path
) -> None:
    """Either the file is refused and nothing stays, or the damage was in a value like any other."""
    rewrite(file, tmp_path / "small.parquet")
    whole = (tmp_path / "small.parquet").read_bytes()
    random = np.random.default_rng(1)
    refused = 0
    for _ in range(60):
        damaged = bytearray(whole)
        for at in random.integers(4, len(whole), 3):
            damaged[at] ^= int(random.integers(1, 256))
        (tmp_path / "damaged.parquet").write_bytes(damaged)
        try:
            import_index(hostile_store, tmp_path / "damaged.parquet", "hostile")
        except RecomposeError:
            refused += 1
            assert hostile_store.list() == []
        else:
            hostile_store.drop("hostile")
    assert refused > 20


@pytest.mark.parametrize(
    ("name", "expected"),
    [("shop", "shop"), ("My shop / a:b", "My-shop-a-b"), ("../x", "x"), ("ü", "ü"), ("/", "index")],
)
def test_the_usual_file_is_named_after_the_index(name: str, expected: str) -> None:
    assert usual_file(name) == Path(f"{expected}.parquet")
