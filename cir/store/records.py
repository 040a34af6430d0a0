"""What the store keeps and gives back, as plain data: no Milvus in here."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

ColumnType = Literal["string", "integer", "number", "boolean"]
IndexKind = Literal["index", "gallery"]
IndexState = Literal["building", "ready"]
IndexType = Literal["FLAT", "AUTOINDEX"]
Metadata = Mapping[str, Any]


def image_id(path: str) -> str:
    """Key of an image: the first 32 hex digits of the SHA-256 of its relative POSIX path.

    Bytes of a file name that are not UTF-8 count as themselves (`os.fsdecode`'s convention).
    """
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def is_image_id(text: str) -> bool:
    """Whether the text is of the form of an image's key."""
    return re.fullmatch(r"[0-9a-f]{32}", text) is not None


@dataclass(frozen=True)
class Recall:
    """Recall of an index's searches against exact search, measured on its own images.

    Attributes:
        at: number of nearest images that count.
        mean, worst: share of them that a search finds, over the sample, 0 to 1.
        sample: images that were searched for.
        images: images in the index then.
    """

    at: int
    mean: float
    worst: float
    sample: int
    images: int


@dataclass(frozen=True)
class UsualScore:
    """What the best hits of queries scored that an index can answer, in one way of asking.

    Attributes:
        least: cosine that nearly all of them reached, -1 to 1.
        middle: their median.
        sample: number of queries.
    """

    least: float
    middle: float
    sample: int


@dataclass(frozen=True)
class UsualScores:
    """What the best hits score in an index, by the way of asking; None where not known.

    Attributes:
        images: images in the index when queries were sampled.
        image, text, composed: of queries by a picture alone, a text alone, by both.
        sentence: of those by a text alone of some words and more; fewer words score less.
    """

    images: int
    image: UsualScore | None = None
    text: UsualScore | None = None
    composed: UsualScore | None = None
    sentence: UsualScore | None = None


@dataclass(frozen=True)
class IndexInfo:
    """One row of the registry: an index and what made it.

    Attributes:
        name: display name, any text, unique among indexes of the same kind.
        collection: name of the Milvus collection, `cir_` and 12 hex digits.
        kind: "index" for people's indexes, "gallery" for evaluation galleries.
        encoder, fingerprint, precision: the encoder that made the embeddings.
        weights, tokenizer: where they were, None when they came with the project or the hub.
        dim: length of an embedding.
        source: the indexed folder, or None when the images came another way.
        columns: metadata columns and their types.
        state: "building" until an ingest has come to its end, then "ready".
        count: images at the last end of an ingest.
        index_type: "FLAT" (exact) or "AUTOINDEX".
        recall: as last measured, None where it has not been; an exact index needs none.
        created, updated: ISO 8601, UTC.
        usual: what the best hits of queries usually score, None where that was not sampled.
        import_of: id of the export of which not all rows are in yet, "" for none.
        words: whether Milvus could index the words of the text columns, None where it was not
            asked to.
        replaces: the collection that this one took the place of, or is to take, "" for none.
        continues: whether a making that was cut short goes on from where it was.
        title_column: the metadata column that was chosen for titles, "" where none was.
    """

    name: str
    collection: str
    kind: IndexKind
    encoder: str
    fingerprint: str
    precision: str
    weights: str | None
    dim: int
    source: str | None
    columns: Mapping[str, ColumnType] = field(default_factory=dict)
    state: IndexState = "building"
    count: int = 0
    index_type: IndexType = "AUTOINDEX"
    created: str = ""
    updated: str = ""
    tokenizer: str | None = None
    recall: Recall | None = None
    import_of: str = ""
    usual: UsualScores | None = None
    words: bool | None = None
    replaces: str = ""
    title_column: str = ""
    continues: bool = False

    @property
    def exact(self) -> bool:
        """Whether a search compares the query with every image."""
        return self.index_type == "FLAT"


@dataclass(frozen=True)
class ImageRecord:
    """What an index knows of one image file, without its embedding.

    Attributes:
        id: first 32 hex digits of the SHA-256 of `path`.
        path: relative to the source folder, POSIX form.
        content_hash: of the file's bytes, as `cir.images.content_hash` gives it.
        size: bytes. modified: nanoseconds since the epoch. width, height: pixels, upright.
        metadata: values of the index's metadata columns; a column without a value is absent.
    """

    id: str
    path: str
    content_hash: str
    size: int
    modified: int
    width: int
    height: int
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One image to write: its record, its embedding `(dim,)` float32, its JPEG thumbnail.

    `thumbnail` None keeps the thumbnail that is already stored for this content.
    """

    record: ImageRecord
    vector: NDArray[np.float32]
    thumbnail: bytes | None = None


@dataclass(frozen=True)
class Reranked:
    """What a second stage says of a hit.

    Attributes:
        share: 0 to 1; times the weight it is added to the hit's score where hits are ordered.
        rank: of the hit without the second stage, from 1.
        reason: why, of a model that explains; else "".
    """

    share: float
    rank: int
    reason: str = ""


@dataclass(frozen=True)
class Hit:
    """One result: `score` is the cosine similarity, from -1 to 1.

    Attributes:
        content_hash: of the image's file.
        folded: hits that the search put under this one, best first: exact copies, near-duplicates.
        group_size: images of the index that meet the conditions and have the same value of the
            column that results are grouped by, this one included; 0 where nothing is grouped.
        reranked: of the second stage, None where it has not seen the hit.
    """

    id: str
    path: str
    score: float
    metadata: Metadata = field(default_factory=dict)
    content_hash: str = ""
    folded: tuple["Hit", ...] = ()
    group_size: int = 0
    reranked: Reranked | None = None
