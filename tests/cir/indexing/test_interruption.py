"""Stopped, interrupted or killed at any moment, the same call continues to the same index."""

import os
import pty
import re
import signal
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL.Image import Image

from cir.encoders.compact.encoder import CompactEncoder
from cir.encoders.protocol import Embeddings
from cir.errors import EncoderError, StoreError
from cir.indexing import folder as indexing
from cir.progress import Progress
from cir.store import MilvusIndex, MilvusStore
from tests.cir.album import Album, CountingEncoder, counts, require_same_content
from tests.cir.command_line import CommandLine
from tests.drawn import draw_album, save, solid

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
    "Encoder encode_and_look 5 after",
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


@pytest.mark.parametrize(
    "moment", ["Rows upsert 2 after", "Encoder encode_and_look 5 after", "Registry remove 1 before"]
)
def test_a_killed_move_to_other_weights_goes_on_and_loses_nothing(
    moment: str, undisturbed: Album, command_line: CommandLine
) -> None:
    arguments = ("index", undisturbed.folder, "--name", "killed")
    command_line.document(*arguments)
    file = command_line.data_dir / "recompose.db"
    store = MilvusStore(str(file), data_dir=command_line.data_dir)
    store.open("killed").update(fingerprint="made by other weights")
    store.close()
    steps = SMALL_CHUNKS + "import cir.indexing.reencode as move; move.UPSERT_ROWS = 4\n"
    process = command_line.start(
        *moment.split(), "index", "killed", "--re-encode", code=steps + DYING + "app()"
    )
    _, errors = process.communicate(timeout=100)
    assert process.returncode == -signal.SIGKILL, errors

    album = Album(store, undisturbed.encoder, undisturbed.folder, "killed")
    assert album.index.count() == 18
    if moment.startswith("Registry"):  # the new one has taken its place, the old one is left over
        assert album.index.info.fingerprint == album.encoder.fingerprint
        album.index.rebuild()
    else:
        assert album.index.info.fingerprint == "made by other weights"
        store.close()
        done = command_line.document("index", "killed", "--re-encode")
        assert 0 < done["encoded"] < 18 and done["images"] == 18
    require_same_content(album.index, undisturbed.index)
    assert counts(album.ingest()) == (0, 0, 18, 0, 0)
    store.create("next", encoder="e", fingerprint="f", dim=4)
    with store._connection.session() as client:
        assert len(client.list_collections()) == 3, "nothing is left over"
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
encode = CompactEncoder.encode_and_look
def slow(self, images):
    if any((update.Path(os.environ["CIR_DATA_DIR"]) / "thumbnails").rglob("*.jpg")):
        print("written", file=sys.stderr, flush=True)
        time.sleep(60)
    return encode(self, images)
CompactEncoder.encode_and_look = slow
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
    with tempfile.TemporaryDirectory(prefix="kill-") as temporary:  # short enough for sockets
        kill_and_go_on(command_line, arguments, temporary)
        assert list(Path(temporary).iterdir()) == []
    store = MilvusStore(str(command_line.data_dir / "recompose.db"), data_dir=command_line.data_dir)
    require_same_content(store.open("killed"), undisturbed.index)
    store.close()


def kill_and_go_on(
    command_line: CommandLine, arguments: tuple[object, ...], temporary: str
) -> None:
    process = command_line.start(*arguments, code=SMALL_CHUNKS + "app()", TMPDIR=temporary)
    while process.poll() is None and not (command_line.data_dir / "thumbnails").exists():
        time.sleep(0.01)
    process.kill()
    process.communicate()
    report = command_line.document(*arguments, TMPDIR=temporary)
    assert report["added"] + report["unchanged"] == 18


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


class Stopping(CountingEncoder):
    """Two images a batch; raises before a batch of a number, from 1."""

    def __init__(self, encoder: CompactEncoder, at: int, error: BaseException) -> None:
        super().__init__(encoder)
        self.batch = 2
        self._at, self._error = at, error

    def encode_images(self, images: Sequence[Image]) -> Embeddings:
        if self.encoded // self.batch + 1 == self._at:
            raise self._error
        return super().encode_images(images)


class Stop(Exception):
    """What a listener raises."""


def done(told: Sequence[Progress]) -> int:
    return told[-1].done if told else 0


@pytest.mark.parametrize("at", [1, 2, 9])
@pytest.mark.parametrize(
    "error", [EncoderError("out of memory"), KeyboardInterrupt(), SystemExit(143)], ids=repr
)
def test_what_was_told_of_as_done_before_a_failure_is_there(
    album: Album, compact: CompactEncoder, at: int, error: BaseException
) -> None:
    usual, told = album.encoder, list[Progress]()
    album.encoder = Stopping(compact, at, error)
    with pytest.raises(type(error)):
        album.ingest(on_progress=told.append)
    album.encoder = usual
    assert done(told) == 2 * (at - 1)
    assert counts(album.ingest())[:3] == (18 - done(told), 0, done(told))


@pytest.mark.parametrize("call", [3, 6, 12])
def test_what_was_told_of_as_done_before_a_cancel_is_there(album: Album, call: int) -> None:
    told: list[Progress] = []
    album.encoder.batch = 2

    def stop(progress: Progress) -> None:
        told.append(progress)
        if len(told) >= call:
            raise Stop

    with pytest.raises(Stop):
        album.ingest(on_progress=stop)
    encoded = album.encoder.encoded
    assert done(told) == encoded
    assert counts(album.ingest())[:3] == (18 - encoded, 0, encoded)


def test_the_first_error_is_told_where_nothing_can_be_written_any_more(
    album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Progress] = []
    errors = iter([StoreError("first"), StoreError("second")])

    def refuse(index: MilvusIndex, rows: object) -> None:
        raise next(errors)

    with monkeypatch.context() as patch:
        patch.setattr(MilvusIndex, "upsert", refuse)
        with pytest.raises(StoreError, match="first"):
            album.ingest(on_progress=told.append)
    assert next(errors, None) is None, "it was tried again"
    assert done(told) == album.ingest().unchanged == 0


def test_rows_are_written_as_time_goes_by(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "WRITE_SECONDS", 0.0)
    told: list[int] = []
    album.encoder.batch = 3
    album.ingest(on_progress=lambda progress: told.append(progress.done))
    assert sorted({0, *told}) == [0, 3, 6, 9, 12, 15, 18]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred pictures."""
    folder = tmp_path_factory.mktemp("many")
    for number in range(100):
        save(solid("red", (20 + number % 30, 20 + number // 30)), folder / f"{number}.png")
    return folder


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_terminal_s_last_figure_is_what_a_repeated_command_finds(
    how: signal.Signals, command_line: CommandLine, many: Path
) -> None:
    slowed = """
import signal, time
from cir.encoders.compact.encoder import CompactEncoder
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored below a script's background job
encode = CompactEncoder.encode_and_look
def slow(self, images):
    time.sleep(0.3)
    return encode(self, images)
CompactEncoder.batch, CompactEncoder.encode_and_look = 8, slow
from cir.cli.app import app
app()
"""
    screen, terminal = pty.openpty()
    arguments = ("index", many, "--name", "many")
    process = command_line.start_on_terminal(terminal, *arguments, code=slowed)
    os.close(terminal)
    shown = ""
    try:
        while not re.search(r"\b[1-9]\d* of 100", shown):
            shown += os.read(screen, 10_000).decode()
        time.sleep(0.5)
        process.send_signal(how)
        while text := os.read(screen, 10_000).decode():
            shown += text
    except OSError:  # the terminal's other side is closed
        pass
    os.close(screen)
    process.communicate(timeout=60)
    assert process.returncode == 130, shown
    assert "Repeat the same command to continue." in shown and "Traceback" not in shown
    figure = int(re.findall(r"\b(\d+) of 100", shown)[-1])
    report = command_line.document(*arguments)
    assert 0 < figure == report["unchanged"] < 100
    assert report["added"] == 100 - figure
