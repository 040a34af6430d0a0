"""What does indexing cost beside its parts: reading and decoding alone, encoding alone?

    python -m benchmarks.ingest_rate PHOTOS

The ratio says how indexing, which overlaps the two and adds thumbnails, rows and bookkeeping,
compares with reading and encoding one after the other.
"""

import sys
import tempfile
import time
from pathlib import Path

from cir.encoders.registry import load_encoder
from cir.images import decode, read_bytes
from cir.indexing.folder import ingest
from cir.indexing.walk import walk_images
from cir.parallel import batched
from cir.store import MilvusStore


def main() -> None:
    """Run the comparison."""
    folder = Path(sys.argv[1])
    encoder = load_encoder("compact")
    paths = [folder / found.path for found in walk_images(folder)]
    started = time.perf_counter()
    images = [decode(read_bytes(path)).image for path in paths]
    reading = time.perf_counter() - started
    encoder.encode_images(images[:32])
    started = time.perf_counter()
    for batch in batched(images, 32):
        encoder.encode_images(batch)
    encoding = time.perf_counter() - started
    del images
    with tempfile.TemporaryDirectory() as data:
        store = MilvusStore(str(Path(data) / "recompose.db"), data_dir=Path(data))
        started = time.perf_counter()
        ingest(store, folder, "benchmark", encoder)
        whole = time.perf_counter() - started
        started = time.perf_counter()
        ingest(store, folder, "benchmark", encoder)
        again = time.perf_counter() - started
        store.close()
    print(f"{len(paths)} images")
    print(f"reading and decoding, one thread   {reading:6.2f} s")
    print(f"encoding alone                     {encoding:6.2f} s")
    print(f"indexing                           {whole:6.2f} s")
    print(f"indexing again, nothing changed    {again:6.2f} s")
    print(f"indexing / (reading + encoding)    {whole / (reading + encoding):6.2f}")


if __name__ == "__main__":
    main()
