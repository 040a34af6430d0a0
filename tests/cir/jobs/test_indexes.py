"""Indexes built, updated, added to and dropped in the background."""

import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PIL.Image import Image

from cir.encoders.compact.encoder import CompactEncoder
from cir.encoders.protocol import Embeddings, Encoder
from cir.errors import AccessError, ReadOnlyError, UsageError, WayOut
from cir.indexing import reencode as reencode_module
from cir.indexing.uploads import Upload
from cir.jobs.background import Job, Jobs
from cir.jobs.indexes import Indexed, IndexJobs, Moved
from cir.settings import Settings
from cir.store import IndexInfo, MilvusStore
from tests.cir.album import CountingEncoder
from tests.drawn import content, draw_album, solid

SECONDS = 60.0
RED = Upload("red.png", content(solid("red")))
BLUE = Upload("blue.png", content(solid("blue")))
TABLE = Upload("colours.tsv", b"file\tcolour\nred\tred\nblue\tblue\n")


class SlowEncoder(CountingEncoder):
    """Waits for leave before each batch."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder)
        self.begun = threading.Event()
        self.go = threading.Event()

    def encode_images(self, images: Sequence[Image]) -> Embeddings:
        self.begun.set()
        assert self.go.wait(SECONDS)
        return super().encode_images(images)


@pytest.fixture
def name() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def jobs(local_store: MilvusStore, compact: CompactEncoder, tmp_path: Path) -> IndexJobs:
    settings = Settings(
        milvus_uri=None, milvus_token=None, data_dir=tmp_path / "data", encoder="compact"
    )
    return IndexJobs(settings, local_store, True, Jobs(), lambda choice: compact)


def info(jobs: IndexJobs, name: str) -> IndexInfo | None:
    return next((each for each in jobs.store.list() if each.name == name), None)


def finished(job: Job) -> Indexed:
    job.wait(SECONDS)
    assert job.state == "done", job.error
    assert isinstance(job.result, Indexed)
    return job.result


def test_uploads_become_an_index_and_go_with_it(jobs: IndexJobs, name: str) -> None:
    broken = Upload("broken.png", b"no picture")
    job = jobs.build_from_uploads(f" {name} ", [RED, BLUE, broken], "compact", TABLE)
    done = finished(job)
    assert (done.report.added, done.report.matched) == (2, 2)
    assert [path for path, _ in job.failures] == ["broken.png"]
    assert jobs.all() == [(name, job)]

    held = info(jobs, name)
    assert held is not None
    assert held.source is not None
    assert dict(held.columns) == {"file": "string", "colour": "string"}
    assert Path(held.source).parent == jobs.settings.data_dir / "uploads"

    green = Upload("green.png", content(solid("green")))
    added = finished(jobs.add(held, [green, RED]))
    assert (added.report.added, added.report.unchanged) == (1, 2)
    assert added.received is not None
    assert added.received.known == 1

    jobs.drop(held).wait(SECONDS)
    assert info(jobs, name) is None
    assert not Path(held.source).exists()


def test_an_upload_that_cannot_be_indexed_leaves_nothing(jobs: IndexJobs, name: str) -> None:
    job = jobs.build_from_uploads(name, [Upload("a.zip", b"no zip")], "compact")
    job.wait(SECONDS)
    assert job.state == "failed"
    assert "not a zip" in job.error
    assert info(jobs, name) is None
    assert list(jobs.settings.data_dir.rglob("*.png")) == []


def test_a_cancelled_upload_keeps_its_files_and_goes_on(
    jobs: IndexJobs, name: str, compact: CompactEncoder
) -> None:
    slow = SlowEncoder(compact)
    jobs = replace(jobs, load=lambda choice: slow)
    job = jobs.build_from_uploads(name, [RED, BLUE], "compact", TABLE)
    assert slow.begun.wait(SECONDS)
    assert jobs.is_running(name)
    assert jobs.build_from_uploads(name, [RED], "compact") is job, "not a second one"
    job.cancel()
    slow.go.set()
    job.wait(SECONDS)
    assert job.state == "cancelled"
    held = info(jobs, name)
    assert held is not None
    assert held.state == "building"
    report = finished(jobs.update(held)).report
    assert (report.added + report.unchanged, report.matched) == (2, 2)
    finally_held = info(jobs, name)
    assert finally_held is not None
    assert (finally_held.state, jobs.count(finally_held)) == ("ready", 2)


def test_an_index_moves_and_goes_on_where_it_was_stopped(
    jobs: IndexJobs, name: str, compact: CompactEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished(jobs.build_from_uploads(name, [RED, BLUE], "compact", TABLE))
    held = info(jobs, name)
    assert held is not None
    jobs.store.open(name).update(fingerprint="made by other weights")
    failed = jobs.update(held)
    failed.wait(SECONDS)
    assert failed.cause is not None and failed.cause.ways_out == (WayOut.ENCODE_ANEW,)

    slow = SlowEncoder(compact)
    slow.batch = 1
    monkeypatch.setattr(reencode_module, "UPSERT_ROWS", 1)
    job = replace(jobs, load=lambda choice: slow).move(held, "compact")
    assert slow.begun.wait(SECONDS) and jobs.is_running(name)
    assert jobs.store.open(name).count() == 2
    job.cancel()
    slow.go.set()
    job.wait(SECONDS)
    assert (job.state, slow.encoded) == ("cancelled", 1)
    assert jobs.store.moving_to(held) == job.moving_to == "compact"
    done = jobs.move(held, job.moving_to)
    done.wait(SECONDS)
    assert isinstance(done.result, Moved), done.error
    assert (done.result.report.images, done.result.report.encoded) == (2, 1)
    moved = info(jobs, name)
    assert moved is not None and moved.fingerprint == compact.fingerprint
    assert jobs.store.moving_to(moved) is None
    assert finished(jobs.update(moved)).report.unchanged == 2
    with pytest.raises(UsageError, match="is not ready"):
        jobs.move(moved, "bge-vl-base")
    jobs.drop(moved).wait(SECONDS)


@pytest.mark.parametrize("batches", [1, 3])
@pytest.mark.parametrize("sent", [False, True], ids=["folder", "uploads"])
def test_where_a_cancelled_job_stopped_is_what_is_there(
    jobs: IndexJobs, name: str, compact: CompactEncoder, tmp_path: Path, sent: bool, batches: int
) -> None:
    class Cancelled(CountingEncoder):
        def encode_images(self, images: Sequence[Image]) -> Embeddings:
            running = jobs.get(name)
            if running is not None and self.encoded == self.batch * (batches - 1):
                running.cancel()
            return super().encode_images(images)

    encoder = Cancelled(compact)
    encoder.batch = 2
    jobs = replace(jobs, load=lambda choice: encoder)
    folder = draw_album(tmp_path / "album")
    uploads = [Upload(path.name, path.read_bytes()) for path in sorted(folder.rglob("*.png"))]
    if sent:
        job = jobs.build_from_uploads(name, uploads, "compact")
    else:
        job = jobs.build_from_folder(name, folder, "compact")
    job.wait(SECONDS)
    assert (job.state, encoder.encoded) == ("cancelled", 2 * batches)
    assert job.progress is not None
    stopped = info(jobs, name)
    assert stopped is not None
    report = finished(jobs.update(stopped)).report
    assert report.unchanged == job.progress.done == encoder.encoded - report.added
    assert report.added == 18 - report.unchanged


def test_a_table_sent_for_a_folder_is_used_again(
    jobs: IndexJobs, name: str, tmp_path: Path
) -> None:
    folder = draw_album(tmp_path / "album", kinds=1)
    assert finished(jobs.build_from_folder(name, folder, "compact", TABLE)).report.matched == 2
    held = info(jobs, name)
    assert held is not None
    (folder / "red.png").unlink()
    report = finished(jobs.update(held, prune=True)).report
    assert (report.matched, report.removed) == (1, 1)
    jobs.drop(held).wait(SECONDS)
    assert list((jobs.settings.data_dir / "tables").iterdir()) == []
    assert (folder / "blue.png").exists()


def test_a_table_that_does_not_fit_makes_no_index(
    jobs: IndexJobs, name: str, tmp_path: Path
) -> None:
    folder = draw_album(tmp_path / "album", kinds=1)
    job = jobs.build_from_folder(name, folder, "compact", Upload("t.csv", b"file\nother.png\n"))
    job.wait(SECONDS)
    assert "names the images" in job.error
    assert info(jobs, name) is None


def test_names_are_checked_first(jobs: IndexJobs, name: str, tmp_path: Path) -> None:
    folder = draw_album(tmp_path / "album", kinds=1)
    finished(jobs.build_from_folder(name, folder, "compact"))
    for wrong, sentence in (("  ", "a name"), ("x" * 101, "too long"), (name, "already an index")):
        with pytest.raises(UsageError, match=sentence):
            jobs.build_from_folder(wrong, folder, "compact")
    with pytest.raises(UsageError, match="no encoder"):
        jobs.build_from_folder("other", folder, "huge")
    with pytest.raises(UsageError, match="There is no folder"):
        jobs.build_from_folder("other", tmp_path / "none", "compact")
    held = info(jobs, name)
    assert held is not None
    with pytest.raises(UsageError, match="not made of uploaded images"):
        jobs.add(held, [RED])
    with pytest.raises(UsageError, match="did not come from a folder"):
        jobs.update(replace(held, source=None))


def test_strangers_index_only_what_they_sent(jobs: IndexJobs, name: str, tmp_path: Path) -> None:
    strangers = replace(jobs, local=False)
    folder = draw_album(tmp_path / "album", kinds=1)
    with pytest.raises(AccessError):
        strangers.build_from_folder(name, folder, "compact")
    finished(strangers.build_from_uploads(name, [RED], "compact"))


def test_read_only_refuses_every_job(jobs: IndexJobs, name: str) -> None:
    finished(jobs.build_from_uploads(name, [RED], "compact"))
    held = info(jobs, name)
    assert held is not None
    locked = replace(jobs, settings=replace(jobs.settings, read_only=True))
    starts: tuple[Callable[[], Job], ...] = (
        lambda: locked.build_from_folder("x", Path("/"), "compact"),
        lambda: locked.build_from_uploads("x", [RED], "compact"),
        lambda: locked.update(held),
        lambda: locked.add(held, [BLUE]),
        lambda: locked.drop(held),
    )
    for start in starts:
        with pytest.raises(ReadOnlyError):
            start()


def test_jobs_of_another_store_are_not_shown(jobs: IndexJobs, name: str, tmp_path: Path) -> None:
    finished(jobs.build_from_uploads(name, [RED], "compact"))
    other = MilvusStore(str(tmp_path / "other.db"), data_dir=tmp_path)
    elsewhere = replace(jobs, store=other)
    assert elsewhere.all() == []
    jobs.forget(name)
    assert jobs.all() == []
