"""How exact and how quick is a search in a Milvus Lite file, by index type and number of images?

    python -m benchmarks.exact_search DIM ROWS [ROWS ...] [--jitter FILE]

Fills an index of each type with photo-like rows, step by step, and prints at each step: recall@20
of 50 rows against the exact ranking by numpy (mean and lowest); the median of a search, in
milliseconds and beside numpy's matrix product over the same rows in memory; the seconds from a
closed file to the first answer; the peak memory of Milvus Lite's process while it is filled and
after it was opened anew; the size of the file. At last an AUTOINDEX is rebuilt. Linux only (reads
/proc).

Photo-like rows are a mixture: 2,000 clusters whose sizes fall as in Zipf's law, centres and spread
with variances that fall as 1/i (some 25 effective dimensions; the embeddings of the drawn sample
have 21), around a common mean that gives two rows an average cosine of 0.5. With `--jitter` they
are instead rows of a `.npy` file with noise of a third of their distance to the mean.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cir.store import ImageRecord, MilvusIndex, MilvusStore, Row, image_id
from cir.store.records import IndexType
from cir.store.schema import create_images
from cir.store.wire import fields_of

QUERIES = 50
AT = 20
_CLUSTERS = 2_000
_STEP = 4_000
_WRITTEN = 5_000


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser()
    parser.add_argument("dim", type=int)
    parser.add_argument("rows", type=int, nargs="+")
    parser.add_argument("--jitter", type=Path)
    parser.add_argument("--types", nargs="+", default=["FLAT", "AUTOINDEX"])
    asked = parser.parse_args()
    rows = photo_like(max(asked.rows), asked.dim, around(asked.jitter))
    print("type       rows     recall  lowest  search   / numpy  first   filling  opened   file")
    for index_type in asked.types:
        with tempfile.TemporaryDirectory() as folder:
            fill(Path(folder), index_type, rows, sorted(asked.rows))


def fill(folder: Path, index_type: IndexType, rows: NDArray[np.float32], sizes: list[int]) -> None:
    """Print a line for each size of one index that grows."""
    store = MilvusStore(str(folder / "bench.db"), data_dir=folder, idle_seconds=600)
    index = store.create("bench", encoder="none", fingerprint="0", dim=rows.shape[1], exact=True)
    if index_type != "FLAT":
        with store._connection.session() as client:
            client.drop_collection(index.info.collection)
        create_images(store._connection, index.info.collection, rows.shape[1], index_type)
    held = 0
    for size in sizes:
        for start in range(held, size, _WRITTEN):
            part = range(start, min(size, start + _WRITTEN))
            # Past the thumbnails, whose upkeep takes longer than the rows.
            index._images.upsert(fields_of(Row(_record(at), rows[at])) for at in part)
        held = size
        filling = peak_bytes(folder)
        store.close()
        started = time.perf_counter()
        index.search_vectors(rows[:1], AT)
        first = time.perf_counter() - started
        mean, lowest = recall(index, rows[:size])
        search = _median(lambda: index.search_vectors(rows[:1], AT))
        here = _median(lambda part=rows[:size]: np.argpartition(-(part @ part[0]), AT))  # type: ignore[misc]
        print(
            f"{index_type:9} {size:7,}  {mean:6.3f}  {lowest:6.2f}  {search * 1e3:4.0f} ms  "
            f"{search / here:6.2f}  {first:5.1f} s  {filling / 1e9:4.1f} GB  "
            f"{peak_bytes(folder) / 1e9:4.1f} GB  {(folder / 'bench.db').stat().st_size / 1e6:,.0f}"
            " MB",
            flush=True,
        )
    if index_type != "FLAT":
        started = time.perf_counter()
        index.rebuild()
        print(f"rebuilt as FLAT in {time.perf_counter() - started:.1f} s")
    store.close()


def recall(index: MilvusIndex, rows: NDArray[np.float32]) -> tuple[float, float]:
    """Mean and lowest recall@20 of rows drawn at random, each row itself counted."""
    drawn = np.random.default_rng(1).choice(len(rows), QUERIES, replace=False)
    exact = np.argpartition(-(rows[drawn] @ rows.T), AT, axis=1)[:, :AT]
    found = index.search_vectors(rows[drawn], AT)
    shares = [
        len({int(hit.path) for hit in hits} & set(map(int, best))) / AT
        for hits, best in zip(found, exact, strict=True)
    ]
    return statistics.mean(shares), min(shares)


def photo_like(
    count: int, dim: int, centres: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """`(count, dim)` unit rows as embeddings of photos lie, around these centres or drawn ones."""
    generator = np.random.default_rng(0)
    scale = 1 / np.sqrt(np.arange(1, dim + 1, dtype=np.float32))
    scale /= np.linalg.norm(scale)
    if centres is None:
        centres = generator.standard_normal((_CLUSTERS, dim), np.float32) * scale * np.sqrt(0.6)
        spread = scale * np.sqrt(np.float32(0.4))
        centres += np.float32(1 / np.sqrt(dim))  # the common mean, of length 1 as the rest has
    else:
        away = np.linalg.norm(centres - centres.mean(axis=0), axis=1).mean()
        spread = np.full(dim, away / 3 / np.sqrt(dim), np.float32)
    shares = 1 / np.arange(1, len(centres) + 1)
    rows = np.empty((count, dim), np.float32)
    for start in range(0, count, _STEP):
        part = rows[start : start + _STEP]
        cluster = generator.choice(len(centres), len(part), p=shares / shares.sum())
        part[:] = centres[cluster]
        part += generator.standard_normal(part.shape, np.float32) * spread
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return rows


def around(path: Path | None) -> NDArray[np.float32] | None:
    """Rows of a `.npy` file."""
    return None if path is None else np.load(path).astype(np.float32)


def peak_bytes(folder: Path) -> int:
    """Peak resident memory of the process that serves the file in this folder."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() not in (process / "cmdline").read_bytes():
                continue
            lines = (process / "status").read_text().splitlines()
        except OSError:
            continue
        found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")]
        if found:
            return found[0]
    return 0


def _record(at: int) -> ImageRecord:
    return ImageRecord(image_id(str(at)), str(at), f"{at:032x}", 1, 1, 1, 1)


def _median(call: Callable[[], object], rounds: int = 15) -> float:
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


if __name__ == "__main__":
    main()
