"""What is done to indexes in the background: build, update, add to, move, drop; one job an index.

The rules of a public host are checked here, so that no page can forget them.
"""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from cir.access import link_roots, refuse_change, require_indexable
from cir.encoders.protocol import Encoder, EncoderChoice
from cir.encoders.registry import (
    choice_of_index,
    choose,
    fetch,
    load_encoder,
    readiness,
    require_harmless,
)
from cir.errors import StoreError, UsageError
from cir.indexing.folder import FailedImage, IngestReport, ingest
from cir.indexing.reencode import ReencodeReport, reencode
from cir.indexing.uploads import (
    Received,
    Upload,
    folder_table,
    forget_upload,
    keep_table,
    receive,
    require_acceptable,
    upload_folder,
)
from cir.jobs.background import JOBS, Job, Jobs
from cir.progress import Progress
from cir.sample.building import SAMPLE_NAME, build_sample
from cir.settings import Settings
from cir.store import IndexInfo, MilvusStore
from cir.store.exactness import exactness, is_behind
from cir.store.fulltext import AVAILABLE, has_texts
from cir.store.registry import MAX_NAME


@dataclass(frozen=True)
class Indexed:
    """What a build or an update did, and what became of the upload that it began with."""

    report: IngestReport
    received: Received | None


@dataclass(frozen=True)
class Rebuilt:
    """How exact an index's searches are after a rebuild, for people."""

    exactness: str


@dataclass(frozen=True)
class Moved:
    """What encoding an index anew did."""

    report: ReencodeReport


@dataclass(frozen=True)
class IndexJobs:
    """Starts and finds the jobs of the indexes of one store.

    Starting a job for an index that has one running gives the running one.

    Attributes:
        settings: of the person who asks.
        store: with the rights of that person.
        local: whether that person has the server's machine to himself; see `require_indexable`.
        load: gives the encoder of a choice.
    """

    settings: Settings
    store: MilvusStore
    local: bool
    jobs: Jobs = JOBS
    load: Callable[[EncoderChoice], Encoder] = field(
        default=partial(load_encoder, download=False), repr=False
    )

    def all(self) -> list[tuple[str, Job]]:
        """Index names and their running or last job, the latest first."""
        prefix = self._key("")
        found = [job for job in self.jobs.all() if job.key.startswith(prefix)]
        return [(job.key.removeprefix(prefix), job) for job in found]

    def get(self, name: str) -> Job | None:
        """The running or last job of an index."""
        return self.jobs.get(self._key(name))

    def is_running(self, name: str) -> bool:
        """Whether an index is being worked on by this process."""
        job = self.get(name)
        return job is not None and job.running

    def forget(self, name: str) -> None:
        """Drop the memory of an index's last job."""
        self.jobs.forget(self._key(name))

    def count(self, info: IndexInfo) -> int:
        """Images in an index, also in one that is not complete."""
        return info.count if info.state == "ready" else self.store.open(info.name).count()

    def file_bytes(self) -> int | None:
        """Size of the Milvus Lite file; None without one."""
        if not self.store.is_lite:
            return None
        path = Path(self.settings.index_uri).expanduser()
        try:
            return path.stat().st_size
        except FileNotFoundError:
            return None

    def build_from_folder(
        self,
        name: str,
        folder: Path,
        encoder: str,
        table: Upload | None = None,
        *,
        download: bool = False,
    ) -> Job:
        """Make an index of a folder's images; `download`: the encoder may be fetched first.

        Raises:
            UsageError: the name is empty or taken, there is no such encoder or folder, the folder
                may not be read, the encoder would have to be downloaded and may not, this Recompose
                is read-only.
        """
        name = self._new_name(name, encoder, download=download)
        folder = self._checked(folder)

        def work(job: Job) -> Indexed:
            try:
                return self._ingest(job, name, folder, encoder, table)
            finally:
                with suppress(StoreError):
                    if all(info.name != name for info in self.store.list(strong=True)):
                        self._forget_table(name)

        return self._start(name, f"Building “{name}”", work)

    def build_from_uploads(
        self,
        name: str,
        uploads: Sequence[Upload],
        encoder: str,
        table: Upload | None = None,
        *,
        download: bool = False,
    ) -> Job:
        """Make an index of images and zips that were sent; they are kept in the data folder.

        Raises:
            UsageError: as above, or the upload is empty, too large, or holds other files.
        """
        name = self._new_name(name, encoder, download=download)
        require_acceptable(uploads)

        def work(job: Job) -> Indexed:
            data_dir = self.settings.data_dir
            received = receive(uploads, data_dir, table=table, on_progress=job.tell)
            try:
                return self._ingest(job, name, received.folder, encoder, received=received)
            finally:
                with suppress(StoreError):  # then the files stay, which harms less
                    if not self._is_source(received.folder):
                        forget_upload(received.folder, data_dir)

        return self._start(name, f"Building “{name}”", work)

    def build_sample(self) -> Job:
        """Draw the sample catalogue and index it.

        Raises:
            ReadOnlyError: this Recompose is read-only.
        """
        refuse_change(self.settings.read_only)

        def work(job: Job) -> Indexed:
            loaded = self.load(choose(self.settings))
            report = build_sample(self.store, self.settings, loaded, job.tell)
            return Indexed(report, None)

        return self._start(SAMPLE_NAME, "Building the sample catalogue", work)

    def update(self, info: IndexInfo, table: Upload | None = None, *, prune: bool = False) -> Job:
        """Bring an index up to date with its source; also continues what was stopped.

        Raises:
            UsageError: its source is unknown or may not be read, this Recompose is read-only.
        """
        refuse_change(self.settings.read_only)
        if info.source is None:
            raise UsageError(
                f"The images of “{info.name}” did not come from a folder: there is nothing to "
                "update it from."
            )
        folder = self._checked(Path(info.source))

        def work(job: Job) -> Indexed:
            return self._ingest(job, info.name, folder, info, table, prune=prune)

        return self._start(info.name, f"Updating “{info.name}”", work)

    def add(self, info: IndexInfo, uploads: Sequence[Upload], table: Upload | None = None) -> Job:
        """Add images to an index of uploaded images.

        Raises:
            UsageError: it is not one; else as in `build_from_uploads`.
        """
        refuse_change(self.settings.read_only)
        folder = upload_folder(info.source, self.settings.data_dir)
        if folder is None:
            raise UsageError(
                f"“{info.name}” was not made of uploaded images. Put the images into its folder "
                "and update it, or build another index."
            )
        require_acceptable(uploads)

        def work(job: Job) -> Indexed:
            received = receive(
                uploads, self.settings.data_dir, table=table, into=folder, on_progress=job.tell
            )
            return self._ingest(job, info.name, folder, info, received=received)

        return self._start(info.name, f"Adding to “{info.name}”", work)

    def is_behind(self, info: IndexInfo) -> bool:
        """Whether an index's searches miss images until it is rebuilt."""
        return is_behind(info, self.store.backend, self.count(info))

    def words_missing(self, info: IndexInfo) -> str:
        """Why the words of an index cannot be asked for, where a rebuild mends that; else ""."""
        if not has_texts(info) or info.words is False:
            return ""
        state = self.store.open(info.name).words_state
        return "" if state == AVAILABLE else state

    def rebuild(self, info: IndexInfo) -> Job:
        """Make an index's searches as exact as they can be; nothing is encoded again.

        An index with texts can then be asked by their words, where Milvus can do that.

        Raises:
            ReadOnlyError: this Recompose is read-only.
        """
        refuse_change(self.settings.read_only)

        def work(job: Job) -> Rebuilt:
            job.tell(Progress("Rebuilding what searches use"))
            index = self.store.open(info.name)
            index.rebuild()
            return Rebuilt(exactness(index.info, self.store.backend, self.count(index.info)))

        return self._start(info.name, f"Rebuilding “{info.name}”", work)

    def move(self, info: IndexInfo, encoder: str) -> Job:
        """Encode an index anew, by another encoder or by its own as it is now.

        Also continues a move to this encoder that was stopped. The index answers meanwhile.

        Raises:
            UsageError: there is no such encoder, or it is not ready; this Recompose is read-only.
        """
        refuse_change(self.settings.read_only)
        require_harmless(encoder, self.settings)
        choice = choose(self.settings, encoder)
        if encoder == info.encoder:
            choice = choice_of_index(info, choice)
        if readiness(choice) != "ready":
            raise UsageError(f"The encoder {encoder} is not ready on this machine. Choose another.")

        def work(job: Job) -> Moved:
            job.moving_to = encoder
            job.tell(Progress("Loading the encoder"))
            loaded = self.load(choice)
            report = reencode(
                self.store.open(info.name, strong=True),
                loaded,
                self.settings,
                local=self.local,
                on_progress=job.tell,
                on_failure=partial(_note_failure, job),
            )
            return Moved(report)

        return self._start(info.name, f"Encoding “{info.name}” anew by {encoder}", work)

    def drop(self, info: IndexInfo) -> Job:
        """Remove an index, with its uploaded files; images in other folders stay.

        Raises:
            ReadOnlyError: this Recompose is read-only.
        """
        refuse_change(self.settings.read_only)
        data_dir = self.settings.data_dir

        def work(job: Job) -> None:
            job.tell(Progress("Removing the index"))
            self.store.drop(info.name)
            uploaded = upload_folder(info.source, data_dir)
            if uploaded is not None and not self._is_source(uploaded):
                forget_upload(uploaded, data_dir)
            self._forget_table(info.name)

        return self._start(info.name, f"Dropping “{info.name}”", work)

    def _ingest(
        self,
        job: Job,
        name: str,
        folder: Path,
        encoder: str | IndexInfo,
        table: Upload | None = None,
        *,
        prune: bool = False,
        received: Received | None = None,
    ) -> Indexed:
        if table is not None:
            job.tell(Progress("Reading the metadata"))
            keep_table(table, folder, self._table_home(name, folder), self.settings.data_dir)
        if isinstance(encoder, str):
            choice = choose(self.settings, encoder)
            fetch(choice, job.tell)  # what a new index may download has been asked before
        else:
            choice = choice_of_index(encoder, choose(self.settings))
        job.tell(Progress("Loading the encoder"))
        loaded = self.load(choice)
        job.tell(Progress("Looking through the images"))
        report = ingest(
            self.store,
            folder,
            name,
            loaded,
            metadata=folder_table(self._table_home(name, folder)),
            prune=prune,
            roots=link_roots(self.settings),
            on_progress=job.tell,
            on_failure=partial(_note_failure, job),
        )
        return Indexed(report, received)

    def _table_home(self, name: str, folder: Path) -> Path:
        """Where a metadata table that was sent for an index is kept: with uploads of ours."""
        if upload_folder(str(folder), self.settings.data_dir) is not None:
            return folder
        return self._tables(name)

    def _tables(self, name: str) -> Path:
        digest = hashlib.sha256(self._key(name).encode()).hexdigest()[:16]
        return self.settings.data_dir / "tables" / digest

    def _forget_table(self, name: str) -> None:
        shutil.rmtree(self._tables(name), ignore_errors=True)

    def _new_name(self, name: str, encoder: str, *, download: bool) -> str:
        """The name for a new index, tidy."""
        refuse_change(self.settings.read_only)
        require_harmless(encoder, self.settings)
        if readiness(choose(self.settings, encoder)) == "download" and not download:
            raise UsageError(
                f"The encoder {encoder} is not on this machine: allow its download, or choose "
                "another."
            )
        name = name.strip()
        if not name:
            raise UsageError("Give the index a name.")
        if len(name) > MAX_NAME:
            raise UsageError(f"The name is too long: the limit is {MAX_NAME} characters.")
        taken = any(info.name == name for info in self.store.list())
        if taken and not self.is_running(name):
            raise UsageError(f"There is already an index “{name}”. Choose another name.")
        return name

    def _checked(self, folder: Path) -> Path:
        folder = require_indexable(folder, self.settings, local=self.local)
        if not folder.is_dir():
            raise UsageError(f"There is no folder {folder} on this server.")
        return folder

    def _is_source(self, folder: Path) -> bool:
        return any(info.source == str(folder) for info in self.store.list(strong=True))

    def _key(self, name: str) -> str:
        return f"index:{self.store.place}:{name}"

    def _start(self, name: str, title: str, work: Callable[[Job], Any]) -> Job:
        return self.jobs.start(self._key(name), title, work)


def _note_failure(job: Job, failed: FailedImage) -> None:
    job.failures.append((failed.path, failed.reason))
