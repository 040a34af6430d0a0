"""Killed or interrupted at any moment, the same command continues to the same index."""

import signal
import time
from pathlib import Path

import pytest

from cir.encoders.compact.encoder import CompactEncoder
from cir.store import MilvusStore
from tests.cir.album import Album, CountingEncoder, counts, require_same_content
from tests.cir.command_line import CommandLine
from tests.drawn import draw_album

SMALL_CHUNKS = """
import os, signal, sys
import cir.indexing.folder as update
from cir.encoders.compact.encoder import CompactEncoder
update.PLAN_FILES, update.UPSERT_ROWS = 5, 4
CompactEncoder.batch = 2
from cir.cli.app import app
"""
DYING = """
from cir.encoders.compact.encoder import CompactEncoder
from cir.store.collection import ImageCollection
from cir.store.index import MilvusIndex
from cir.store.registry import Registry

def dies(owner, name, at, after):
    done, calls = getattr(owner, name), iter(range(1, 1000))
    def call(*arguments, **options):
        number = next(calls)
        if number == at and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = done(*arguments, **options)
        if number == at and after:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(owner, name, call)

owners = (MilvusIndex, CompactEncoder, ImageCollection, Registry)
owner = dict(zip(("Index", "Encoder", "Rows", "Registry"), owners))[sys.argv.pop(1)]
dies(owner, sys.argv.pop(1), int(sys.argv.pop(1)), sys.argv.pop(1) == "after")
"""
MOMENTS = [
    "Index update 1 before",
    # Thumbnails are there, their rows are not.
    "Rows upsert 1 before",
    "Rows upsert 3 after",
    "Encoder encode_images 5 after",
    "Index update 2 before",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eighteen pictures, some with metadata."""
    folder = draw_album(tmp_path_factory.mktemp("killed") / "album")
    (folder / "metadata.csv").write_text("file,x\nred,1\nblue,2\n")
    return folder


@pytest.fixture(scope="module")
def undisturbed(local_store: MilvusStore, compact: CompactEncoder, folder: Path) -> Album:
    """The index that nothing interrupted."""
    album = Album(local_store, CountingEncoder(compact), folder, "killed")
    album.ingest()
    return album


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_ingest_continues_to_the_same_index(
    moment: str, undisturbed: Album, command_line: CommandLine
) -> None:
    process = command_line.start(
        *moment.split(),
        *("index", undisturbed.folder, "--name", "killed"),
        code=SMALL_CHUNKS + DYING + "app()",
    )
    _, errors = process.communicate(timeout=100)
    assert process.returncode == -signal.SIGKILL, errors
    file = command_line.data_dir / "recompose.db"
    store = MilvusStore(str(file), data_dir=command_line.data_dir)
    album = Album(store, undisturbed.encoder, undisturbed.folder, "killed")
    assert album.index.info.state == "building"
    report = album.ingest()
    assert report.added + report.unchanged == 18
    assert album.encoder.encoded == report.added
    require_same_content(album.index, undisturbed.index)
    assert (album.index.info.state, album.index.info.count) == ("ready", 18)
    assert counts(album.ingest()) == (0, 0, 18, 0, 0)
    store.close()


def test_ctrl_c_says_that_repeating_continues_and_the_index_shows_as_incomplete(
    command_line: CommandLine, tmp_path: Path
) -> None:
    folder = draw_album(tmp_path / "album")
    # The encoder waits for Ctrl-C once the first rows are written.
    waiting = """
import time
from cir.encoders.compact.encoder import CompactEncoder
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored below a script's background job
encode = CompactEncoder.encode_images
def slow(self, images):
    if any((update.Path(os.environ["CIR_DATA_DIR"]) / "thumbnails").rglob("*.jpg")):
        print("written", file=sys.stderr, flush=True)
        time.sleep(60)
    return encode(self, images)
CompactEncoder.encode_images = slow
app()
"""
    arguments = ("index", folder, "--name", "mine", "--json")
    process = command_line.start(*arguments, code=SMALL_CHUNKS + waiting)
    assert process.stderr is not None and process.stderr.readline() == "written\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Repeat the same command to continue." in err and "Traceback" not in err
    assert out.count("error") == 1 and out.startswith("{")

    (listed,) = command_line.document("indexes")["indexes"]
    assert (listed["name"], listed["state"]) == ("mine", "building")
    found = command_line.run("search", "mine", "--text", "red", "--json")
    assert found.returncode == 0 and "incomplete" in found.stderr

    report = command_line.document(*arguments[:-1])
    assert report["added"] + report["unchanged"] == 18 and report["unchanged"] > 0


def test_a_kill_at_no_chosen_moment_loses_nothing_either(
    command_line: CommandLine, undisturbed: Album
) -> None:
    arguments = ("index", undisturbed.folder, "--name", "killed")
    process = command_line.start(*arguments, code=SMALL_CHUNKS + "app()")
    while process.poll() is None and not (command_line.data_dir / "thumbnails").exists():
        time.sleep(0.01)
    process.kill()
    process.communicate()
    report = command_line.document(*arguments)
    assert report["added"] + report["unchanged"] == 18
    store = MilvusStore(str(command_line.data_dir / "recompose.db"), data_dir=command_line.data_dir)
    require_same_content(store.open("killed"), undisturbed.index)
    store.close()


def test_a_kill_while_the_index_is_being_made_leaves_its_name_free(
    command_line: CommandLine, undisturbed: Album
) -> None:
    arguments = ("index", undisturbed.folder, "--name", "killed")
    process = command_line.start(
        *("Registry", "_write", 1, "after"), *arguments, code=SMALL_CHUNKS + DYING + "app()"
    )
    _, errors = process.communicate(timeout=100)
    assert process.returncode == -signal.SIGKILL, errors
    assert command_line.document("indexes")["indexes"] == []
    assert command_line.document(*arguments)["added"] == 18
