"""Small pictures of a run's gallery, and where else its images are indexed."""

from collections.abc import Collection, Iterable
from functools import cached_property
from pathlib import Path

from cir.access import is_readable, link_roots
from cir.errors import ImageError, RecomposeError
from cir.images import open_image, thumbnail
from cir.indexing.walk import walk_images
from cir.settings import Settings
from cir.store import IndexInfo, MilvusIndex, MilvusStore, gallery_store, image_id, index_store
from eval.runs.queries import asked_queries
from eval.runs.reading import Run
from eval.sets.catalogue import NATIVE_NAME
from eval.sets.formats import find_format
from eval.sets.labelled import LabelledQuery


class Pictures:
    """The images of a run's gallery: thumbnails of its index, else files that may be shown.

    Nothing of a run that was uploaded is opened: it could name any folder.
    """

    def __init__(
        self, run: Run, settings: Settings, *, local: bool, store: MilvusStore | None = None
    ) -> None:
        """Name what to look at; the gallery's index is opened when it is needed.

        Args:
            run: whose gallery.
            settings: of the person who looks.
            local: whether that person has the machine to themselves, see `cir.access`.
            store: that of galleries or of indexes, whichever `in_gallery` says; None makes one.
        """
        gallery = run.part("gallery") if run.folder is not None else {}
        folder = gallery.get("folder")
        self.folder = Path(folder) if isinstance(folder, str) else None
        self._gallery, self._settings, self._local = gallery, settings, local
        self._store = store

    @cached_property
    def _index(self) -> MilvusIndex | None:
        """The gallery's index, where it is still there."""
        name, kind = self._gallery.get("name"), self._gallery.get("kind")
        if not isinstance(name, str) or kind not in {"gallery", "index"}:
            return None
        make = gallery_store if kind == "gallery" else index_store
        try:
            return (self._store or make(self._settings)).open(name, kind=kind)
        except RecomposeError:
            return None

    def thumbnails(self, paths: Collection[str]) -> dict[str, bytes]:
        """JPEG files of the paths of which there is a picture that may be shown."""
        ids = {image_id(path): path for path in paths}
        found: dict[str, bytes] = {}
        if self._index is not None:
            try:
                stored = self._index.thumbnails(list(ids))
                found = {ids[key]: jpeg for key, jpeg in stored.items()}
            except RecomposeError:
                self._index = None  # Milvus has gone: the files may still be there
        for path in paths:
            if path not in found and (jpeg := self._from_file(path)) is not None:
                found[path] = jpeg
        return found

    def paths(self) -> Iterable[str]:
        """Paths of the gallery's images; none where neither index nor folder is at hand."""
        if self._index is not None:
            return [record.path for record in self._index.iterate()]
        if self.folder is not None and self._may_show(self.folder) and self.folder.is_dir():
            return [found.path for found in walk_images(self.folder)]
        return []

    def _from_file(self, path: str) -> bytes | None:
        if self.folder is None or not self._may_show(self.folder / path):
            return None
        try:
            return thumbnail(open_image(self.folder / path, link_roots(self._settings)))
        except ImageError:
            return None

    def _may_show(self, path: Path) -> bool:
        return is_readable(path, self._settings, local=self._local)


def in_gallery(run: Run) -> bool:
    """Whether the run searched an evaluation gallery, not somebody's index."""
    return run.part("gallery").get("kind") == "gallery"


def queries_of(run: Run, pictures: Pictures) -> dict[str, LabelledQuery]:
    """The labelled queries of a run, their images named as `pictures` does.

    Raises:
        UsageError: as `eval.runs.queries.asked_queries`.
    """
    form = find_format(run.part("settings").get("format", NATIVE_NAME))
    by_path = form is None or form.protocol.image_id is None
    return asked_queries(run, None if by_path else pictures.paths)


def indexed_reference(run: Run, query: LabelledQuery, store: MilvusStore) -> tuple[str, str] | None:
    """Name of an index that holds a query's reference image, and the image's id there.

    None where neither the index that was searched has it, nor one of the same folder.
    """
    key = image_id(query.reference)
    for info in _indexes(run, store):
        if store.open(info.name).get([key]):
            return info.name, key
    return None


def _indexes(run: Run, store: MilvusStore) -> list[IndexInfo]:
    """Indexes that may hold the run's images, those of its encoder first."""
    gallery, encoder = run.part("gallery"), run.document.get("encoder_fingerprint")
    if run.folder is None:
        return []
    infos = store.list()
    if gallery.get("kind") == "index":
        return [info for info in infos if info.name == gallery.get("name")]
    same = [info for info in infos if info.source and info.source == gallery.get("folder")]
    return sorted(same, key=lambda info: info.fingerprint != encoder)
