"""What do the counts of filters cost, and conditions on what texts contain?

    python -m benchmarks.facets ROWS [ROWS ...]

Fills a Milvus Lite file with product-like metadata, ten columns, and prints for each size: the
first call of `facets` after a change, which reads all metadata; a later one without and with
conditions, beside a `count(*)` of Milvus for each value; a search without conditions, with one on a
choice, and with one on what names contain; the memory that the metadata takes in the process.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cir.store import ColumnType, ImageRecord, MilvusIndex, MilvusStore, Row, image_id
from cir.store.filters import Condition, expression
from cir.store.wire import fields_of

DIM = 512
ROUNDS = 9
WHERE = ["colour in colour 1, colour 2", "year>=2012"]
_CHOICES = {"split": 3, "gender": 5, "season": 4, "usage": 7, "kind": 30, "article": 140}
_COLUMNS: dict[str, ColumnType] = {
    **dict.fromkeys([*_CHOICES, "colour", "name"], "string"),
    "year": "integer",
    "price": "number",
}
_WORDS = ("shirt", "Jeans", "Women's", "striped", "Casual", "Shoes", "Dress", "Black", "Slim")


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", type=int, nargs="+")
    for rows in parser.parse_args().rows:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), rows)


def measure(folder: Path, count: int) -> None:
    """Print the figures of an index of one size."""
    store = MilvusStore(str(folder / "bench.db"), data_dir=folder, idle_seconds=600)
    index = store.create(
        "bench", encoder="none", fingerprint="0", dim=DIM, exact=True, columns=_COLUMNS
    )
    vectors = np.random.default_rng(0).normal(size=(count, DIM)).astype(np.float32)
    # Past the thumbnails, whose upkeep takes longer than the rows.
    index._images.upsert(fields_of(Row(_record(at), vectors[at])) for at in range(count))
    query = vectors[:1]
    index.search_vectors(query, 24)
    started = time.perf_counter()
    index.facets()
    first = time.perf_counter() - started
    asked = _median(lambda: _counts_by_milvus(index), rounds=1)
    print(f"{count:,} rows: first facets {first:.2f} s", end="; ")
    for name, where in (("later", []), ("with conditions", WHERE)):
        taken = _median(lambda where=where: index.facets(where))  # type: ignore[misc]
        print(f"{name} {taken * 1e3:.0f} ms ({taken / asked:.4f} of counts by Milvus)", end="; ")
    print(f"{index._all_columns().size / 1e6:.0f} MB of metadata")
    plain = _median(lambda: index.search_vectors(query, 24))
    print(f"  search {plain * 1e3:.0f} ms", end="")
    for condition in ("colour in colour 1, colour 2", "name~SHIRT", "name~shirt 12"):
        taken = _median(lambda where=condition: index.search_vectors(query, 24, [where]))  # type: ignore[misc]
        print(f"; {condition} {taken * 1e3:.0f} ms ({taken / plain:.1f} times)", end="")
    print()
    store.close()


def _counts_by_milvus(index: MilvusIndex) -> None:
    """The same counts, a request a value."""
    for facet in index.facets():
        for value, _ in facet.choices:
            condition = expression([Condition(facet.column, "=", value)])
            index._images.query(condition, ["count(*)"])


def _record(at: int) -> ImageRecord:
    chooser = np.random.default_rng(at)
    metadata: dict[str, Any] = {
        name: f"{name} {int(values * chooser.random() ** 2)}" for name, values in _CHOICES.items()
    }
    words = " ".join(chooser.choice(_WORDS, 4))
    metadata |= {
        "colour": f"colour {int(46 * chooser.random() ** 2)}",
        "name": f"Brand {at % 300} {words} {at}",
        "year": 2007 + int(chooser.integers(13)),
        "price": float(chooser.integers(100, 10_000)) / 10,
    }
    path = f"{at}.jpg"
    return ImageRecord(image_id(path), path, f"{at:032x}", 0, 0, 0, 0, metadata)


def _median(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Seconds."""
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


if __name__ == "__main__":
    main()
