"""An indexed image as reference: its original where it may be read, else its thumbnail."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL.Image import Image

from cir.access import is_readable, link_roots
from cir.errors import ImageError, UsageError
from cir.images import MAX_BYTES, as_rgb, content_hash, decode, open_reference, read_bytes
from cir.search.composed import More, Query
from cir.search.options import split_weight
from cir.settings import Settings
from cir.store import Hit, ImageRecord, MilvusIndex, is_image_id


@dataclass(frozen=True)
class Reference:
    """A reference image.

    Attributes:
        image: RGB.
        name: what to call it, for people.
        content_hash: of its file.
        is_thumbnail: whether only the stored thumbnail was at hand.
        path: in the index, None for an upload.
    """

    image: Image
    name: str
    content_hash: str
    is_thumbnail: bool = False
    path: str | None = None


def uploaded_reference(name: str, data: bytes) -> Reference:
    """A reference from an uploaded file.

    Raises:
        ImageError: the content is no image, or more than `MAX_BYTES`; names the file.
    """
    try:
        if len(data) > MAX_BYTES:
            raise ImageError(f"the file is larger than {MAX_BYTES // 2**20} MB")
        return Reference(decode(data).image, name, content_hash(data))
    except ImageError as error:
        raise ImageError(f"{name}: {error}. Choose another picture.") from error


def indexed_reference(
    index: MilvusIndex, key: str, settings: Settings, *, local: bool
) -> Reference:
    """A reference from an image of the index, by its id.

    Raises:
        UsageError: the index has no such image.
        ImageError: neither the original nor a thumbnail can be read.
    """
    found = index.get([key])
    if not found:
        raise UsageError("The reference image is no longer in this index. Choose another one.")
    record = found[0]
    found_file = original(index, record, settings, local=local)
    if found_file is not None:
        return Reference(found_file[1], record.path, record.content_hash, path=record.path)
    jpeg = index.thumbnails([key]).get(key)
    if jpeg is None:
        raise ImageError(f"{record.path}: neither the file nor a thumbnail is there any more.")
    small = decode(jpeg).image
    return Reference(small, record.path, record.content_hash, is_thumbnail=True, path=record.path)


def original(
    index: MilvusIndex, record: ImageRecord, settings: Settings, *, local: bool
) -> tuple[bytes, Image] | None:
    """The file's content and picture, where it may be read and is still the one that was indexed.

    Args:
        local: whether the person who asks has this machine to themselves, see
            `cir.access.is_readable`.
    """
    if index.info.source is None:
        return None
    path = Path(index.info.source) / record.path
    if not is_readable(path, settings, local=local):
        return None
    try:
        data = read_bytes(path, link_roots(settings))
        # Decoded also where the content alone is wanted: others may write rows to a shared Milvus,
        # and a row that names a file which is no image gets nothing of it.
        return (data, decode(data).image) if content_hash(data) == record.content_hash else None
    except ImageError:
        return None


Given = str | os.PathLike[str] | bytes | Image | More
"""A reference image as people give it: a file's path or content, a Pillow image, an id, or opened
already. A text may end with a weight, "FILE*0.5"."""


def query_of(
    index: MilvusIndex, image: Given | Sequence[Given] | None, text: str, settings: Settings
) -> Query:
    """The query of reference images in any form and an instruction.

    Args:
        index: which is asked.
        image: one or several.
        text: the instruction.
        settings: say which files of the index may be read.

    Raises:
        UsageError: the index has no such image, or a weight is out of range.
        ImageError: an image cannot be read.
    """
    if image is None:
        return Query(instruction=text)
    given = [image] if isinstance(image, (str, os.PathLike, bytes, Image, More)) else image
    opened = [_opened(each, index, settings) for each in given]
    if not opened:
        return Query(instruction=text)
    first, *more = opened
    return Query(first.image, text, first.content_hash, weight=first.weight, more=tuple(more))


def opened_files(images: Sequence[str]) -> list[Given]:
    """These references, "FILE*0.5" or the id of an image, with the files opened.

    Raises:
        UsageError: there is no such file, or a weight is out of range.
        ImageError: a file cannot be read.
    """
    given: list[Given] = []
    for each in images:
        name, weight = split_weight(each)
        if not Path(name).exists() and not is_image_id(name):
            raise UsageError(f"There is no image file {name}.")
        given.append(More(*open_reference(name), weight) if Path(name).exists() else each)
    return given


def _opened(given: Given, index: MilvusIndex, settings: Settings) -> More:
    match given:
        case More():
            return given
        case Image():
            return More(as_rgb(given))
        case bytes():
            upload = uploaded_reference("The reference image", given)
            return More(upload.image, upload.content_hash)
        case str():
            name, weight = split_weight(given)
            if is_image_id(name) and not Path(name).exists():
                indexed = indexed_reference(index, name, settings, local=True)
                return More(indexed.image, indexed.content_hash, weight)
            return More(*open_reference(name), weight)
        case _:
            return More(*open_reference(given))


def neighbours(index: MilvusIndex, key: str, limit: int = 8) -> list[Hit]:
    """The images most like an image of the index by its own embedding, best first.

    Itself and images of the same content are left out; nothing is encoded.

    Raises:
        UsageError: the index has no image of this id.
    """
    vector = index.vectors([key])
    same = index.ids_with_content(index.get([key])[0].content_hash)
    return index.search_vectors(vector, limit, exclude_ids=[{key, *same}])[0]
