"""Killed twenty times at moments of chance, an ingest ends in the index that nothing disturbed."""

import os
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from cir.encoders.compact.encoder import CompactEncoder
from cir.store import MilvusStore
from tests.cir.album import Album, CountingEncoder, counts, require_same_content
from tests.cir.command_line import CommandLine
from tests.drawn import save, striped
from tests.milvus_server import MilvusServer, milvus_server

pytestmark = pytest.mark.slow

KILLS = 20
SEED = int(os.environ.get("KILLS_SEED", "17"))
SLOWED = """
import time
import cir.indexing.folder as indexing
from cir.encoders.compact.encoder import CompactEncoder
indexing.PLAN_FILES, indexing.UPSERT_ROWS, indexing.WRITE_SECONDS = 20, 8, 0.3
encode, ingest = CompactEncoder.encode_and_look, indexing.ingest
def slow(self, images):
    time.sleep(0.08)
    return encode(self, images)
def begin(*arguments, **options):
    print("begun", flush=True)
    return ingest(*arguments, **options)
CompactEncoder.batch, CompactEncoder.encode_and_look, indexing.ingest = 2, slow, begin
from cir.cli.app import app
app()
"""


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A temporary folder of the commands, with a name that is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        yield Path(name)


def add_pictures(folder: Path, count: int) -> None:
    there = len(list(folder.glob("*.png")))
    for number in range(there, there + count):
        save(striped("red", (30 + number % 30, 40 + number // 30)), folder / f"{number}.png")
    lines = ["file,number", *(f"{number}.png,{number}" for number in range(there + count))]
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")


def kill_again_and_again(command_line: CommandLine, folder: Path, **environment: str) -> None:
    chance = random.Random(SEED)
    print(f"seed {SEED}: another by KILLS_SEED")
    arguments = ("index", folder, "--name", "killed")
    kills = 0
    while kills < KILLS:
        process = command_line.start(*arguments, code=SLOWED, **environment)
        assert process.stdout is not None
        begun = process.stdout.readline()
        # Every other time while the index is made or opened, else somewhere in between.
        time.sleep(chance.uniform(0, 0.25 if kills % 2 else 1.2))
        ended = process.poll()
        process.kill()
        out, err = process.communicate()
        assert begun == "begun\n" and ended in {None, 0}, (out, err)
        if ended is None:
            kills += 1
        else:  # it was quicker: give it more to do
            add_pictures(folder, 40)
    done = command_line.start(*arguments, code=SLOWED, **environment)
    out, err = done.communicate(timeout=120)
    assert done.returncode == 0, (out, err)


def require_undisturbed(store: MilvusStore, undisturbed: Album) -> None:
    """Fail unless the store holds the one index, whole, and nothing else."""
    (entry,) = store._registry._entries()
    assert entry.phase == "live"
    info, other = entry.info, undisturbed.index.info
    same = replace(other, collection=info.collection, created=info.created, updated=info.updated)
    # A server's own: its kind of index, whether it knows words, the last digits of its scores.
    same = replace(same, index_type=info.index_type, words=info.words, usual=info.usual)
    assert info == same
    assert info.usual is not None and other.usual is not None
    assert asdict(info.usual) == {
        way: score if score is None or isinstance(score, int) else pytest.approx(score, abs=1e-5)
        for way, score in asdict(other.usual).items()
    }
    require_same_content(store.open("killed"), undisturbed.index)
    with store._connection.session() as client:
        assert set(client.list_collections()) == {"cir_indexes", info.collection}


def files(folder: Path) -> set[str]:
    return {each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()}


def test_twenty_kills_on_a_lite_file(
    command_line: CommandLine, compact: CompactEncoder, temporary: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    add_pictures(folder, 160)
    kill_again_and_again(command_line, folder, TMPDIR=str(temporary))

    store = MilvusStore(str(command_line.data_dir / "recompose.db"), data_dir=command_line.data_dir)
    usual = tmp_path / "undisturbed"
    other = MilvusStore(str(usual / "recompose.db"), data_dir=usual)
    undisturbed = Album(other, CountingEncoder(compact), folder, "killed")
    undisturbed.ingest()
    require_undisturbed(store, undisturbed)
    album = Album(store, CountingEncoder(compact), folder, "killed")
    assert counts(album.ingest()) == (0, 0, len(album.records), 0, 0)
    for each in (store, other):
        each.close()
    kept = files(command_line.data_dir) - {".recompose-data"}
    assert kept - {".recompose.db.wanted"} == files(usual)
    assert list(temporary.iterdir()) == []


@pytest.fixture
def server() -> Iterator[MilvusServer]:
    with milvus_server(authorize=True) as running:
        yield running


def test_twenty_kills_on_a_server(
    command_line: CommandLine, compact: CompactEncoder, server: MilvusServer, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    add_pictures(folder, 160)
    environment = {"CIR_MILVUS_URI": server.uri, "CIR_MILVUS_TOKEN": server.token or ""}
    kill_again_and_again(command_line, folder, **environment)

    store = MilvusStore(server.uri, server.token, data_dir=tmp_path)
    usual = tmp_path / "undisturbed"
    other = MilvusStore(str(usual / "recompose.db"), data_dir=usual)
    undisturbed = Album(other, CountingEncoder(compact), folder, "killed")
    undisturbed.ingest()
    require_undisturbed(store, undisturbed)
    for each in (store, other):
        each.close()
