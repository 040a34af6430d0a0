"""A folder of pictures with its index, for tests of what an ingest does."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image

from cir.encoders.protocol import Embeddings, Encoder, batch_of, files_of
from cir.indexing.folder import IngestReport, ingest
from cir.store import ImageRecord, MilvusIndex, MilvusStore


class CountingEncoder:
    """Another encoder, and how many images it has encoded."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.spec = encoder.spec
        self.fingerprint = encoder.fingerprint
        self.precision = encoder.precision
        self.weights, self.tokenizer = files_of(encoder)
        self.batch = batch_of(encoder)
        self.encoded = 0

    def encode_images(self, images: Sequence[Image]) -> Embeddings:
        self.encoded += len(images)
        return self._encoder.encode_images(images)

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        return self._encoder.encode_texts(texts)

    def encode_composed(self, images: Sequence[Image], texts: Sequence[str]) -> Embeddings:
        return self._encoder.encode_composed(images, texts)

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        return self._encoder.truncates(texts)


@dataclass
class Album:
    """A folder, the store that holds its index, and the encoder that makes it."""

    store: MilvusStore
    encoder: CountingEncoder
    folder: Path
    name: str

    def ingest(self, **options: Any) -> IngestReport:
        """Bring the index up to date; `encoder.encoded` counts this call alone."""
        self.encoder.encoded = 0
        return ingest(self.store, self.folder, self.name, self.encoder, **options)

    @property
    def index(self) -> MilvusIndex:
        return self.store.open(self.name)

    @property
    def records(self) -> dict[str, ImageRecord]:
        """Path -> what the index holds."""
        return {record.path: record for record in self.index.iterate()}

    def metadata(self, path: str) -> dict[str, Any]:
        return dict(self.records[path].metadata)


def counts(report: IngestReport) -> tuple[int, int, int, int, int]:
    """Added, updated, unchanged, removed, failed."""
    images = (report.added, report.updated, report.unchanged, report.removed)
    return (*images, len(report.failed))


def require_same_content(one: MilvusIndex, other: MilvusIndex) -> None:
    """Fail unless both hold the same images with the same embeddings."""
    records, others = list(one.iterate()), list(other.iterate())
    assert records == others
    ids = [record.id for record in records]
    np.testing.assert_allclose(one.vectors(ids), other.vectors(ids), atol=1e-5)
    assert one.thumbnails(ids) == other.thumbnails(ids)
