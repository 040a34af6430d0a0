"""The store: the indexes of one Milvus."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from cir.access import refuse_change
from cir.errors import StoreAwayError, StoreError, UsageError
from cir.settings import Settings
from cir.store.collection import ImageCollection
from cir.store.connection import Connection, ServerConnection, is_server_uri, patient
from cir.store.exactness import index_type_for
from cir.store.index import MilvusIndex
from cir.store.lite import LiteConnection
from cir.store.records import ColumnType, IndexInfo, IndexKind
from cir.store.registry import Registry
from cir.store.schema import make_images
from cir.store.thumbnails import FieldThumbnails, FileThumbnails, Thumbnails, thumbnail_folder

_KINDS: tuple[IndexKind, ...] = ("index", "gallery")
MAX_DIM = 32_768

_Collections = list[ImageCollection]  # `list` means a method inside the class


class MilvusStore:
    """Indexes in a Milvus Lite file, on a Milvus server or in Zilliz Cloud.

    Cheap to make and safe to share between threads: it connects at the first call, and releases a
    Lite file that it does not use when another process asks for it, or after a while.

    Attributes:
        is_lite: whether the indexes are in a Milvus Lite file.
        backend: "Milvus Lite", "Milvus server" or "Zilliz Cloud".
        place: where the indexes are, for people; never with a password.
    """

    def __init__(
        self,
        uri: str,
        token: str | None = None,
        *,
        data_dir: Path,
        idle_seconds: float = 3.0,
        wait_seconds: float = 15.0,
        read_only: bool = False,
    ) -> None:
        """Name a Milvus without connecting.

        Args:
            uri: `http://`, `https://`, `tcp://` or `unix:` of a server, else a Lite file's path.
            token: an API key or `user:password`; appears in no message.
            data_dir: folder of the thumbnails that belong to a Lite file.
            idle_seconds: how long an unused Lite file stays open though another process asks for
                it; without one, longer the more it takes to load again, at most an hour.
            wait_seconds: how long to wait for another process to release a Lite file.
            read_only: refuse every change with ReadOnlyError.

        Raises:
            UsageError: the URI names neither a server nor a possible Lite file.
        """
        if not uri.strip():
            raise UsageError("The Milvus URI is empty. Name a server or a Milvus Lite file.")
        self._connection: Connection
        self._folder: Path | None = None
        if is_server_uri(uri):
            self._connection = ServerConnection(uri, token)
        else:
            path = Path(uri).expanduser().resolve()
            self._folder = thumbnail_folder(path, data_dir)
            self._connection = LiteConnection(
                path, idle_seconds=idle_seconds, wait_seconds=wait_seconds
            )
        self.is_lite = self._connection.is_lite
        self.backend = self._connection.backend
        self.place = self._connection.place
        self._read_only = read_only
        self._registry = Registry(self._connection)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.place}>"

    def create(
        self,
        name: str,
        *,
        kind: IndexKind = "index",
        encoder: str,
        fingerprint: str,
        dim: int,
        precision: str = "exact",
        weights: str | None = None,
        tokenizer: str | None = None,
        source: str | None = None,
        columns: Mapping[str, ColumnType] | None = None,
        exact: bool = False,
        import_of: str = "",
    ) -> MilvusIndex:
        """Make an empty index in state "building".

        `exact` compares each query with every image. In a Lite file that is so in any case;
        elsewhere Milvus otherwise picks which images to compare with.
        `import_of` is that of `IndexInfo`.

        Raises:
            UsageError: the name is taken, empty or too long, or `dim` is not 2 to 32,768.
            StoreError: Milvus fails.
        """
        refuse_change(self._read_only)
        if not 2 <= dim <= MAX_DIM:
            raise UsageError(f"Milvus holds embeddings of 2 to {MAX_DIM} values, not {dim}.")
        info = IndexInfo(
            name=name,
            collection="",
            kind=kind,
            encoder=encoder,
            fingerprint=fingerprint,
            precision=precision,
            weights=weights,
            tokenizer=tokenizer,
            dim=dim,
            source=source,
            columns=dict(columns or {}),
            index_type="FLAT" if exact else index_type_for(self.backend, lambda: False),
            import_of=import_of,
        )
        return self._index(self._registry.add(info, partial(make_images, self._connection)))

    def open(self, name: str, kind: IndexKind = "index", *, strong: bool = False) -> MilvusIndex:
        """The index of this name.

        `strong`: this call and every read of the index see what other processes wrote a moment
        before; on a server each then takes 0.2 s.

        Raises:
            UnknownIndexError: there is none; the message lists the known names.
            StoreError: Milvus fails.
        """
        return self._index(self._registry.find(name, kind, strong=strong), strong=strong)

    def list(self, kind: IndexKind = "index", *, strong: bool = False) -> list[IndexInfo]:
        """The indexes of a kind, by name.

        `strong`: also what other processes changed a moment before; on a server that takes 0.2 s.

        Raises:
            StoreError: Milvus fails.
        """
        return self._registry.infos(kind, strong=strong)

    def moving_to(self, info: IndexInfo) -> str | None:
        """The encoder that an index began to move to, and has not: the move goes on, or was cut
        short and goes on when it is asked for again."""
        begun = self._registry.unfinished(info)
        return None if begun is None else begun.encoder

    def drop(self, name: str, kind: IndexKind = "index") -> None:
        """Remove an index, its images, and thumbnails that no other index needs.

        Raises:
            UnknownIndexError: there is no such index; the message lists the known names.
            StoreError: Milvus fails.
        """
        refuse_change(self._read_only)
        info = self._registry.find(name, kind, strong=True)
        images = ImageCollection(self._connection, info)
        if not images.exists():
            self._registry.drop(info)
            return
        with self._thumbnails().released(images, None):
            self._registry.drop(info)

    def answers(self) -> bool:
        """Whether Milvus answers, or refuses, at once: False for a server that has gone away."""
        try:
            with patient(0):
                self._registry.infos("index")
        except StoreAwayError:
            return False
        except StoreError:
            pass  # whoever asks for more hears of it
        return True

    def close(self) -> None:
        """Let go of the Milvus; a later call opens it again."""
        self._connection.close()

    def _index(self, info: IndexInfo, *, strong: bool = False) -> MilvusIndex:
        return MilvusIndex(
            info,
            self._connection,
            self._thumbnails(),
            read_only=self._read_only,
            strong=strong,
        )

    def _thumbnails(self) -> Thumbnails:
        if self._folder is None:
            return FieldThumbnails()
        return FileThumbnails(self._folder, self._all_images)

    def _all_images(self) -> _Collections:
        infos = [info for kind in _KINDS for info in self._registry.infos(kind, strong=True)]
        collections = [ImageCollection(self._connection, info) for info in infos]
        return [images for images in collections if images.exists()]


def index_store(settings: Settings) -> MilvusStore:
    """The store of people's indexes; connects late."""
    return _store(settings.index_uri, settings)


def gallery_store(settings: Settings) -> MilvusStore:
    """The store of evaluation galleries; connects late."""
    return _store(settings.gallery_uri, settings)


def _store(uri: str, settings: Settings) -> MilvusStore:
    return MilvusStore(
        uri, settings.milvus_token, data_dir=settings.data_dir, read_only=settings.read_only
    )
