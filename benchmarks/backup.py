"""What do export and import of an index cost, beside writing its rows in the first place?

    python -m benchmarks.backup

Makes an index of drawn rows in a Lite file, exports it and imports it into another one. Prints the
time of each, its ratio to the writing, how much memory it took beyond what was held, the size of
the file beside that of the store, and whether searches give the same. Linux only (reads /proc).
"""

import io
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from cir.indexing.backup import export_index, import_index
from cir.store import ImageRecord, MilvusStore, Row, image_id

ROWS = 20_000
DIM = 512
GROUP = 256


def main() -> None:
    """Run the comparison."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one, other = (
            MilvusStore(str(folder / kind / "recompose.db"), data_dir=folder / kind)
            for kind in ("one", "other")
        )
        index = one.create("benchmark", encoder="none", fingerprint="0", dim=DIM)
        other.list()

        def write() -> None:
            for rows in _groups():
                index.upsert(rows)

        writing, _ = _measured(write)
        file = folder / "benchmark.parquet"
        print(f"writing {ROWS:,} rows of {DIM}  {writing:6.1f} s")
        for what, work in {
            "export": lambda: export_index(index, file),
            "import": lambda: import_index(other, file),
        }.items():
            seconds, memory = _measured(work)
            print(f"{what:28} {seconds:6.1f} s, ratio {seconds / writing:.2f}, ", end="")
            print(f"{memory / 2**20:.0f} MB of memory")
        store = sum(path.stat().st_size for path in (folder / "one").rglob("*") if path.is_file())
        print(f"the file beside the store    {file.stat().st_size / store:6.2f}")
        queries = np.random.default_rng(1).normal(size=(100, DIM)).astype(np.float32)
        found = other.open("benchmark").search_vectors(queries, 50)
        same = found == index.search_vectors(queries, 50)
        print(f"the same hits and scores     {'yes' if same else 'NO'}")
        one.close()
        other.close()


def _measured(work: Callable[[], object]) -> tuple[float, int]:
    """Seconds, and the peak of this process's memory beyond that before, in bytes."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
    before = _memory("VmRSS")
    started = time.perf_counter()
    work()
    return time.perf_counter() - started, _memory("VmHWM") - before


def _memory(kind: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{kind}:"))


def _groups() -> Iterator[list[Row]]:
    random = np.random.default_rng(0)
    jpegs = [_jpeg(random) for _ in range(100)]
    for start in range(0, ROWS, GROUP):
        vectors = random.normal(size=(min(GROUP, ROWS - start), DIM)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        rows = []
        for at, vector in enumerate(vectors, start=start):
            path = f"{at}.jpg"
            record = ImageRecord(image_id(path), path, f"{at:032x}", 0, 0, 0, 0)
            rows.append(Row(record, vector, jpegs[at % len(jpegs)]))
        yield rows


def _jpeg(random: np.random.Generator) -> bytes:
    """A thumbnail of some 15 KB, as of a photo."""
    stream = io.BytesIO()
    coarse = Image.fromarray(random.integers(0, 256, (24, 24, 3), dtype=np.uint8))
    coarse.resize((256, 256), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=85)
    return stream.getvalue()


if __name__ == "__main__":
    main()
