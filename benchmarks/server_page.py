"""What do a search page's reads cost on a Milvus server, beside reads that miss nothing of anybody?

    python -m benchmarks.server_page URI [TOKEN]

Makes an index of drawn rows there, asks in turn as the page does and with `strong`, prints the
median of each and their ratios, and drops the index.
"""

import io
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from cir.store import ImageRecord, MilvusIndex, MilvusStore, Row, image_id

ROWS = 5_000
DIM = 512
SHOWN = 24
ROUNDS = 15


def main() -> None:
    """Run the comparison."""
    uri, *token = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as data:
        store = MilvusStore(uri, *token, data_dir=Path(data))
        name = f"benchmark {uuid.uuid4().hex[:8]}"
        store.create(name, encoder="none", fingerprint="0", dim=DIM, exact=True).upsert(
            list(_rows())
        )
        try:
            _compare(store, name)
        finally:
            store.drop(name)


def _compare(store: MilvusStore, name: str) -> None:
    ways = {strong: store.open(name, strong=strong) for strong in (True, False)}
    reads: dict[str, Callable[[bool], object]] = {
        "content hash, search, thumbnails": lambda strong: _page(ways[strong]),
        "list of indexes, opened index": lambda strong: (
            store.list(strong=strong),
            store.open(name, strong=strong),
        ),
    }
    for read, call in reads.items():
        times: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(ROUNDS):
            for strong, taken in times.items():
                started = time.perf_counter()
                call(strong)
                taken.append(time.perf_counter() - started)
        missing_nothing, usual = (1000 * statistics.median(each) for each in times.values())
        print(f"{read:34} {usual:6.1f} ms; missing nothing {missing_nothing:6.1f} ms; ", end="")
        print(f"ratio {usual / missing_nothing:.2f}")


def _page(index: MilvusIndex) -> None:
    """What the page asks for a reference with an instruction."""
    index.ids_with_content("0" * 32)
    query = np.ones((1, DIM), dtype=np.float32)
    hits = index.search_vectors(query, SHOWN)[0]
    index.thumbnails([hit.id for hit in hits])


def _rows() -> Iterator[Row]:
    random = np.random.default_rng(0)
    stream = io.BytesIO()
    noise = random.integers(0, 256, (256, 192, 3), dtype=np.uint8)
    Image.fromarray(noise).save(stream, "JPEG", quality=30)  # some 15 KB
    for number, vector in enumerate(random.normal(size=(ROWS, DIM)).astype(np.float32)):
        path = f"{number}.jpg"
        record = ImageRecord(image_id(path), path, f"{number:032x}", 0, 0, 0, 0)
        yield Row(record, vector, stream.getvalue())


if __name__ == "__main__":
    main()
