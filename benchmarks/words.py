"""What do the words of the metadata find beside the vector, and what do they cost?

    python -m benchmarks.words LABELLED_SET PHOTOS TABLE COLUMN

The labelled set is a native one over the photos; COLUMN is the column of the table (CSV) that
holds the names of what the photos show. Prints recall@1 and @10 without words, with the words of
that column alone, and with those of all columns: of the composed queries of the set, and of texts
alone: whole names, and their first words where at least three names share one (brands). Then what
20,000 such images cost in a Milvus Lite file, without and with words.
"""

import csv
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cir.encoders.protocol import Encoder
from cir.encoders.registry import load_encoder
from cir.images import open_image
from cir.indexing.folder import ingest
from cir.parallel import batched
from cir.search import Query, SearchOptions, search_batch
from cir.store import ColumnType, ImageRecord, MilvusIndex, MilvusStore, Row, image_id
from eval.sets.catalogue import load_set

FIRST = (1, 10)
BATCH = 64
ROWS = 20_000
DIM = 512
ROUNDS = 50
SHARED = 3


@dataclass(frozen=True)
class Question:
    """A query, the paths of what it should find, and the path of what it must not."""

    query: Query
    targets: Collection[str]
    group: str
    without: str = ""


def main() -> None:
    """Measure, and print a table each."""
    labelled, photos, table = map(Path, sys.argv[1:4])
    with table.open(encoding="utf-8", newline="") as file:
        products = list(csv.DictReader(file))
    with tempfile.TemporaryDirectory() as folder:
        _quality(labelled, photos, table, products, sys.argv[4], Path(folder))
    for with_words in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            _cost(products, sys.argv[4], Path(folder), with_words=with_words)


def _quality(
    labelled: Path,
    photos: Path,
    table: Path,
    products: Sequence[Mapping[str, str]],
    column: str,
    folder: Path,
) -> None:
    encoder = load_encoder("compact")
    store = MilvusStore(str(folder / "words.db"), data_dir=folder)
    ingest(store, photos, "all", encoder, metadata=table)
    every = store.open("all")
    named = _of_column(every, store, column)
    questions = _questions(labelled, photos, every, column)
    print("| queries | without words | words of the names | words of all columns |")
    print("|---|---|---|---|")
    asked = [
        _ranks(every, encoder, questions, words=False),
        _ranks(named, encoder, questions, words=True),
        _ranks(every, encoder, questions, words=True),
    ]
    for group, count in Counter(each.group for each in questions).items():
        cells = [_recalls(each[group]) for each in asked]
        print(f"| {group} ({count}) | {' | '.join(cells)} |")
    print("\nrecall@1 / recall@10\n")
    store.close()


def _of_column(index: MilvusIndex, store: MilvusStore, column: str) -> MilvusIndex:
    """The same images with nothing but their names."""
    info = index.info
    named = store.create(
        "names",
        encoder=info.encoder,
        fingerprint=info.fingerprint,
        dim=info.dim,
        columns={column: "string"},
    )
    for rows in index.iterate_rows():
        named.upsert([_reduced(row, column) for row in rows])
    return named


def _reduced(row: Row, column: str) -> Row:
    facts = vars(row.record) | {"metadata": {column: row.record.metadata[column]}}
    return Row(ImageRecord(**facts), row.vector)


def _questions(labelled: Path, photos: Path, index: MilvusIndex, column: str) -> list[Question]:
    asked = [
        Question(
            Query(open_image(photos / each.reference), each.instruction),
            frozenset(each.first_targets),
            f"composed, {', '.join(each.groups)}",
            each.reference,
        )
        for each in load_set("native", labelled).queries
    ]
    names, brands = defaultdict(set), defaultdict(set)
    for record in index.iterate():
        name = record.metadata[column]
        names[name].add(record.path)
        brands[name.split()[0]].add(record.path)
    asked += [Question(Query(None, name), paths, "name") for name, paths in names.items()]
    asked += [
        Question(Query(None, brand), paths, "brand")
        for brand, paths in brands.items()
        if len(paths) >= SHARED
    ]
    return asked


def _ranks(
    index: MilvusIndex, encoder: Encoder, questions: Sequence[Question], *, words: bool
) -> dict[str, list[int]]:
    """By group, the place of the first target from 0 on; a large number where there is none."""
    ranks = defaultdict(list)
    for part in batched(questions, BATCH):
        found = search_batch(
            index,
            encoder,
            [each.query for each in part],
            SearchOptions(limit=max(FIRST), words=words),
            exclude_ids=[{image_id(each.without)} for each in part],
        )
        for question, hits in zip(part, found, strict=True):
            places = [at for at, hit in enumerate(hits) if hit.path in question.targets]
            ranks[question.group].append(min(places, default=sys.maxsize))
    return ranks


def _recalls(ranks: Sequence[int]) -> str:
    return " / ".join(f"{np.mean(np.array(ranks) < first):.3f}" for first in FIRST)


def _cost(
    products: Sequence[Mapping[str, str]], column: str, folder: Path, *, with_words: bool
) -> None:
    columns: dict[str, ColumnType] = dict.fromkeys(products[0], "string")
    store = MilvusStore(str(folder / "words.db"), data_dir=folder)
    facts: dict[str, Any] = {"encoder": "none", "fingerprint": "0", "dim": DIM}
    # Texts that come later are no words before the index is rebuilt.
    index = store.create("one", columns=columns if with_words else {}, **facts)
    index.update(columns=columns)
    random = np.random.default_rng(0)
    started = time.perf_counter()
    for numbers in batched(range(ROWS), 1_000):
        index.upsert([_row(at, random, products) for at in numbers])
    writing = time.perf_counter() - started
    store.close()
    size = (folder / "words.db").stat().st_size / 2**20
    started = time.perf_counter()
    index = store.open("one")
    index.load()
    loading = time.perf_counter() - started
    queries = random.normal(size=(ROUNDS, 1, DIM)).astype(np.float32)
    texts = [products[at][column] for at in random.integers(len(products), size=ROUNDS)]
    print(f"{ROWS:,} images of {DIM} numbers, {'with' if with_words else 'without'} words:")
    print(f"  writing {writing:.1f} s, {size:.0f} MB, loading {loading:.2f} s")
    print(f"  a search by vector      {_median(index, queries, None):6.1f} ms")
    if with_words:
        print(f"  a search with a name    {_median(index, queries, texts):6.1f} ms")
        one = [text.split()[-1] for text in texts]
        print(f"  with a word of a name   {_median(index, queries, one):6.1f} ms")
    store.close()


def _row(at: int, random: np.random.Generator, products: Sequence[Mapping[str, str]]) -> Row:
    path = f"{at}.jpg"
    record = ImageRecord(
        image_id(path), path, f"{at:032x}", 1, 1, 1, 1, products[at % len(products)]
    )
    return Row(record, random.normal(size=DIM).astype(np.float32))


def _median(index: MilvusIndex, queries: Any, texts: Sequence[str] | None) -> float:
    taken = []
    for at, query in enumerate(queries):
        started = time.perf_counter()
        index.search_vectors(query, 10, words=None if texts is None else [texts[at]])
        taken.append(time.perf_counter() - started)
    return 1_000 * statistics.median(taken)


if __name__ == "__main__":
    main()
