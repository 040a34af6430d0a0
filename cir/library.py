"""The library: a store whose indexes know their encoder and answer a picture and a sentence.

`import cir` offers these two classes as `cir.Store` and `cir.Index`.
"""

import os
import warnings
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from cir.encoders.protocol import Encoder
from cir.encoders.registry import choice_of_index, choose, load_encoder
from cir.errors import UnknownIndexError
from cir.indexing.backup import export_index, import_index
from cir.indexing.folder import FailedImage, IngestReport, ingest
from cir.indexing.reencode import ReencodeReport, reencode
from cir.progress import OnProgress
from cir.rerank.fusing import Outcome
from cir.search import SearchOptions, search
from cir.search.references import Given, query_of
from cir.settings import Settings, load_settings
from cir.store import Hit, IndexInfo, IndexKind, MilvusIndex, MilvusStore


class Index(MilvusIndex):
    """An index of images: searched by picture and text, or read and written as rows.

    Obtained from a `Store`; safe to share between threads.

    Attributes:
        report: what the call of `Store.index` that gave this index did to it, None where it only
            opened it.
    """

    report: IngestReport | None = None
    _settings: Settings
    _encoder: Encoder | None = None

    @property
    def encoder(self) -> Encoder:
        """The encoder that made the index, loaded when it is first needed; never downloaded here.

        Raises:
            UsageError: it is not one that loads by name: hand it to `Store.index`.
            EncoderError: its files are missing or damaged.
        """
        if self._encoder is None:
            choice = choice_of_index(self.info, choose(self._settings))
            self._encoder = load_encoder(choice, download=False)
        return self._encoder

    def search(
        self,
        image: Given | Sequence[Given] | None = None,
        text: str = "",
        *,
        exclude_ids: Collection[str] = (),
        **options: Any,
    ) -> list[Hit]:
        """The images nearest to a reference image, an instruction, or both, best first.

        Args:
            image: the reference image: a file's path or content, a Pillow image, or the id of an
                image of the index; or several of them. A path or id as text may end with a weight,
                "FILE*0.5", 1 where none is written. A file that is in the index is not among its
                own results.
            text: the instruction, what should be different; without an image, what to look for.
            exclude_ids: ids of images to leave out.
            options: fields of `SearchOptions`, for example `limit=10, where=["year>=2011"],
                balance=0.3, less=["red*0.5"]`.

        Returns:
            Hits with `score`, the cosine similarity from -1 to 1; equal ones by path. With a second
            stage (`rerank`), what it says of each stands in `Hit.reranked`; where it fails, the
            hits come without it, with a warning.

        Raises:
            UsageError: neither image nor text is given, a condition is wrong, an option is out of
                range, or the index has no image of this id.
            ImageError: the image cannot be read.
            EncoderError: the index's encoder cannot be loaded.
            StoreError: Milvus failed.
            TypeError: `SearchOptions` has no such field.
        """
        told = SearchOptions(**options)
        query = query_of(self, image, text, self._settings)
        return search(
            self,
            self.encoder,
            query,
            told,
            exclude_ids=exclude_ids,
            settings=self._settings,
            on_rerank=_warn_of_failure,
        )

    def reencode(
        self,
        encoder: Encoder | str | None = None,
        *,
        on_progress: OnProgress | None = None,
        on_failure: Callable[[FailedImage], None] | None = None,
    ) -> ReencodeReport:
        """Encode all images anew, by another encoder or by other weights of the index's own.

        Searches of the index work as before until all are encoded; then the new embeddings take the
        place of the old at once. A call that was cut short continues when it is repeated. Images
        are read from the folder that the index was made from, or, where a file is gone or changed,
        from their thumbnails; metadata stays as it is.

        Args:
            encoder: an object with the `Encoder` protocol, or a name as `load_encoder` takes it.
                None takes the index's own, as it is now.
            on_progress: called after each group of images, in this thread; what it raises ends the
                call.
            on_failure: called for each image that cannot be read; it is not in the index then.

        Raises:
            UsageError: none of the images can be read.
            UnknownIndexError: the index was dropped meanwhile.
            EncoderError: the encoder cannot be loaded.
            ReadOnlyError: this Recompose changes nothing.
            StoreError: Milvus failed, or another process updates the index; the same call later
                continues.
        """
        if isinstance(encoder, str):
            encoder = load_encoder(encoder, settings=self._settings)
        loaded = encoder or self.encoder
        report = reencode(
            self,
            loaded,
            self._settings,
            local=True,
            on_progress=on_progress,
            on_failure=on_failure,
        )
        self._encoder = loaded
        return report

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        replace: bool = False,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Write the index with its embeddings and thumbnails into one Parquet file.

        `Store.import_index` makes an index of it, in any Milvus. Where the encoder's weights are is
        not in it.

        Args:
            replace: whether a file of this name may be replaced.
            on_progress: called after each group of images, in this thread; what it raises ends the
                call, which then leaves no file.

        Raises:
            UsageError: there is such a file, or it cannot have this name.
            StoreError: Milvus failed, or the index was changed meanwhile.
            RecomposeError: the disk refuses.
        """
        export_index(self, Path(path), replace=replace, on_progress=on_progress)


def _warn_of_failure(outcome: Outcome) -> None:
    if outcome.failure:
        warnings.warn(f"Results without the second stage: {outcome.failure}", stacklevel=4)


class Store(MilvusStore):
    """The indexes of one Milvus: a Lite file, a server, or Zilliz Cloud.

    Cheap to make and safe to share between threads: it connects at the first call, and releases a
    Lite file that it does not use when another process asks for it, or after a while.

    Attributes:
        settings: where data and weights are, on which device encoders compute.
        is_lite: whether the indexes are in a Milvus Lite file.
        backend: "Milvus Lite", "Milvus server" or "Zilliz Cloud".
        place: where the indexes are, for people; never with a password.
    """

    def __init__(
        self,
        uri: str | os.PathLike[str] | None = None,
        token: str | None = None,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        settings: Settings | None = None,
    ) -> None:
        """Name a Milvus without connecting.

        Args:
            uri: address of a server or of Zilliz Cloud, or a Lite file's path; None takes the
                settings' (`CIR_MILVUS_URI`, else a Lite file in the data folder).
            token: an API key or `user:password`; appears in no message. The environment's goes to
                the environment's address alone.
            data_dir: the data folder; None takes the settings' (`CIR_DATA_DIR`).
            settings: all of this in one value; without it, of this process.

        Raises:
            UsageError: the URI names neither a server nor a possible Lite file, or the data folder
                cannot be written.
        """
        if settings is None:
            address = None if uri is None else os.fspath(uri)
            settings = load_settings(uri=address, token=token, data_dir=data_dir)
        self.settings = settings
        super().__init__(
            settings.index_uri,
            settings.milvus_token,
            data_dir=settings.data_dir,
            read_only=settings.read_only,
        )

    def index(
        self,
        name: str,
        folder: str | os.PathLike[str] | None = None,
        *,
        encoder: Encoder | str | None = None,
        metadata: str | os.PathLike[str] | None = None,
        prune: bool = False,
        on_progress: OnProgress | None = None,
        on_failure: Callable[[FailedImage], None] | None = None,
    ) -> Index:
        """The index of this name, made or brought up to date from a folder where one is named.

        Args:
            folder: of images, subfolders included. Images that are unchanged are not read again; a
                call that was cut short continues where it stopped.
            encoder: an object with the `Encoder` protocol, or a name as `load_encoder` takes it.
                None takes the index's own, and for a new index the settings' (`CIR_ENCODER`, else
                compact).
            metadata: a table of values for the images (CSV, TSV, JSON lines, Parquet); by default
                `metadata.csv` in the folder, where there is one.
            prune: remove images whose file is gone.
            on_progress: called after each chunk, in this thread; what it raises ends the call.
            on_failure: called for each image file that cannot be read; the others go on.

        Raises:
            UnknownIndexError: there is no such index, and no folder to make it from.
            UsageError: the folder is missing or holds no image, the metadata cannot be joined, or
                the index was built from another folder. Nothing has been changed then.
            EncoderMismatchError: another encoder made the index.
            EncoderError: the encoder cannot be loaded.
            ReadOnlyError: this Recompose changes nothing.
            StoreError: Milvus failed; the same call later continues.
        """
        if isinstance(encoder, str):
            encoder = load_encoder(encoder, settings=self.settings)
        if folder is None:
            return self.open(name, encoder=encoder)
        loaded = encoder or self._usual_encoder(name)
        report = ingest(
            self,
            Path(folder),
            name,
            loaded,
            metadata=None if metadata is None else Path(metadata),
            prune=prune,
            on_progress=on_progress,
            on_failure=on_failure,
        )
        index = self.open(name, encoder=loaded)
        index.report = report
        return index

    def import_index(
        self,
        path: str | os.PathLike[str],
        name: str | None = None,
        *,
        on_progress: OnProgress | None = None,
    ) -> Index:
        """Make an index of a file that `Index.export` wrote; nothing is encoded.

        A call that was cut short continues when it is repeated; until then the index is not ready.
        It has no source folder: `Store.index` with its name and the folder gives it one, and finds
        what is unchanged.

        Args:
            name: of the index; None takes the one it had.
            on_progress: called after each group of images, in this thread; what it raises ends the
                call.

        Raises:
            UsageError: this is no such file, it is damaged, or the name is taken. Nothing is left
                then.
            ReadOnlyError: this Recompose changes nothing.
            StoreError: Milvus failed; the same call later continues.
        """
        done = import_index(self, Path(path), name, on_progress=on_progress)
        return self.open(done.index)

    def open(
        self,
        name: str,
        kind: IndexKind = "index",
        *,
        strong: bool = False,
        encoder: Encoder | None = None,
    ) -> Index:
        """The index of this name, with its encoder where that does not load by name.

        `strong`: this call and every read of the index see what other processes wrote a moment
        before; on a server each then takes 0.2 s.

        Raises:
            UnknownIndexError: there is none; the message lists the known names.
            StoreError: Milvus fails.
        """
        index = self._index(self._registry.find(name, kind, strong=strong), strong=strong)
        index._encoder = encoder
        return index

    def _usual_encoder(self, name: str) -> Encoder:
        try:
            return self.open(name).encoder
        except UnknownIndexError:
            return load_encoder(choose(self.settings))

    def _index(self, info: IndexInfo, *, strong: bool = False) -> Index:
        index = Index(
            info,
            self._connection,
            self._thumbnails(),
            read_only=self.settings.read_only,
            strong=strong,
        )
        index._settings = self.settings
        return index
