"""How often is "nothing here is close to this" right?

    python -m benchmarks.nothing_close PHOTOS TABLE LABELLED_SET [FOREIGN]

PHOTOS is a folder of product photos; TABLE a CSV file with their id (the file's stem), articleType,
masterCategory, baseColour, gender, season, usage and name; LABELLED_SET a folder of composed
queries over them. FOREIGN holds PNG pictures of other things, each with a text of its name beside
it, whose first line says in English what it shows, as the stamps of Tux Paint do. Noise, gradients
and plain fields are drawn here.

Indexes the photos, then those of apparel alone. Prints for each way of asking the AUROC of the best
score between queries whose target is in the index and queries of another domain, how many of the
first are called far (false alarms), and how many of the others. True queries: photos, themselves
left out; texts of type, colour and name; the labelled set's. In the index of apparel, the other
photos, their texts and their composed queries are another domain, too.
"""

import csv
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

import cir
import eval as bench
from cir.encoders.protocol import Embeddings
from cir.images import open_image
from cir.search import Mode, Query, embed, usual_score
from cir.search.usual import learn_usual_scores
from cir.store import MilvusIndex, UsualScores

COLUMNS = ("gender", "articleType", "baseColour", "season", "usage", "name")
PHRASES: dict[str, Callable[[dict[str, str]], str]] = {
    "type": lambda row: row["articleType"],
    "colour and type": lambda row: f"{row['baseColour']} {row['articleType']}".lower(),
    "sentence": lambda row: (
        f"a picture of {row['baseColour']} {row['articleType']} for {row['gender']}".lower()
    ),
    "name": lambda row: row["name"],
}
PLAIN, LEAST_STAMP = 40, 60  # drawn pictures of a kind; pixels that a stamp has at least
KINDS = ("animals", "food", "household", "plants", "town", "vehicles", "space", "sports")


@dataclass
class Asked:
    """Queries of one way, their rows `(n, dim)`, the ids each leaves out, and whether they are of
    this domain."""

    way: Mode
    title: str
    queries: Sequence[Query]
    rows: Embeddings
    without: Sequence[Sequence[str]]
    in_domain: bool


def main() -> None:
    """Run the comparison."""
    photos, table, labelled, *foreign = map(Path, sys.argv[1:5])
    with table.open(encoding="utf-8") as stream:
        every = {f"{row['id']}.jpg": row for row in csv.DictReader(stream)}
    with tempfile.TemporaryDirectory() as folder:
        store = cir.Store(f"{folder}/benchmark.db", data_dir=folder)
        metadata = Path(folder) / "metadata.csv"
        with metadata.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["file", *COLUMNS])
            writer.writerows(
                [path, *(row[each] for each in COLUMNS)] for path, row in every.items()
            )
        whole = store.index("photos", photos, metadata=metadata)
        apparel = store.create(
            "apparel",
            encoder=whole.info.encoder,
            fingerprint=whole.info.fingerprint,
            dim=whole.info.dim,
            columns=whole.info.columns,
        )
        for rows in whole.iterate_rows():
            kept = [row for row in rows if every[row.record.path]["masterCategory"] == "Apparel"]
            if kept:
                apparel.upsert(kept)
        strange = _strange(whole.encoder, foreign[0] if foreign else None)
        for index in (whole, apparel):
            _measure(index, whole, every, labelled, strange)


def _measure(
    index: MilvusIndex,
    whole: cir.Index,
    every: dict[str, dict[str, str]],
    labelled: Path,
    strange: Sequence[Asked],
) -> None:
    usual = learn_usual_scores(index, whole.encoder)
    there = {record.path: record.id for record in index.iterate()}
    print(f"\n{index.info.name}: {len(there)} images")
    print("| way of asking | true queries | other queries | AUROC | false alarms | found out |")
    print("|---|---|---|---|---|---|")
    asked = [*_own(whole, every, labelled, there), *strange]
    best = [_best(index, each) for each in asked]
    for way in ("image", "text", "composed"):
        mine = [(each, scores) for each, scores in zip(asked, best, strict=True) if each.way == way]
        true = np.concatenate([scores for each, scores in mine if each.in_domain])
        for each, scores in mine:
            if len(scores):
                _print(each, scores, true, usual)


def _print(asked: Asked, scores: Embeddings, true: Embeddings, usual: UsualScores) -> None:
    known = [usual_score(usual, query) for query in asked.queries]
    least = [-1.0 if each is None else each.least for each in known]
    far = f"{100 * np.mean(scores < least):.1f} %"
    size = f"{asked.title} ({len(scores)})"
    if asked.in_domain:
        print(f"| {asked.way} | {size} | | | {far} | |")
        return
    # The share of pairs in which the true query's best hit scores more (Mann and Whitney's U).
    auroc = np.mean((true[:, None] > scores) + 0.5 * (true[:, None] == scores))
    print(f"| {asked.way} | all of them | {size} | {auroc:.3f} | | {far} |")


def _best(index: MilvusIndex, asked: Asked) -> Embeddings:
    if not len(asked.rows):
        return np.zeros(0, np.float32)
    hits = index.search_vectors(asked.rows, 1, exclude_ids=asked.without)
    return np.array([each[0].score for each in hits], np.float32)


def _own(
    whole: cir.Index, every: dict[str, dict[str, str]], labelled: Path, there: dict[str, str]
) -> list[Asked]:
    """Queries made of the photos and of the labelled set; where the photo or every target is not in
    the index, they are of another domain."""
    encoder = whole.encoder
    records = list(whole.iterate())
    vectors = whole.vectors([record.id for record in records])
    labelled_queries = bench.load_set(str(labelled)).queries
    source = Path(whole.info.source or "")
    ids = {record.path: record.id for record in records}
    photo = Query(Image.new("RGB", (1, 1)))  # stands for each: their embeddings are there
    found = []
    for inside, word in ((True, ""), (False, "other ")):
        at = [n for n, record in enumerate(records) if (record.path in there) == inside]
        own = [(records[n].id,) for n in at]
        photos = Asked("image", f"{word}photos", [photo] * len(at), vectors[at], own, inside)
        found.append(photos)
        for title, phrase in PHRASES.items():
            texts = [Query(instruction=phrase(every[records[n].path])) for n in at]
            found.append(_asked(encoder, "text", word + title, texts, in_domain=inside))
        queries = [
            each
            for each in labelled_queries
            if (each.reference in there and not there.keys().isdisjoint(each.targets)) == inside
        ]
        pairs = [Query(open_image(source / each.reference), each.instruction) for each in queries]
        composed = _asked(encoder, "composed", f"{word}labelled set", pairs, in_domain=inside)
        composed.without = [(ids[each.reference],) for each in queries]
        found.append(composed)
    return found


def _strange(encoder: cir.Encoder, folder: Path | None) -> list[Asked]:
    """Queries of other domains."""
    random = np.random.default_rng(0)

    def drawn(height: int, width: int) -> Image.Image:
        values = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        return Image.fromarray(values).resize((224, 224), Image.Resampling.BICUBIC)

    sizes = ((224, 224), (2, 2), (12, 12), (1, 1))
    made = [Query(drawn(*size)) for size in sizes for _ in range(PLAIN)]
    found = [_asked(encoder, "image", "noise, gradients, fields", made)]
    if folder is None:
        return found
    stamps = list(_stamps(folder))
    images, names = [image for image, _ in stamps], [name for _, name in stamps]
    sentences = [f"a picture of {name[0].lower()}{name[1:].rstrip('.')}" for name in names]
    changes = ["in red", "in blue", "the same for women", "striped"] * len(names)
    in_red = [Query(*pair) for pair in zip(images, changes, strict=False)]
    others = [Query(*pair) for pair in zip(images, names[::-1], strict=True)]
    return [
        *found,
        _asked(encoder, "image", "pictures of other things", [Query(each) for each in images]),
        _asked(encoder, "text", "names of other things", [Query(None, each) for each in names]),
        _asked(encoder, "text", "the same as sentences", [Query(None, each) for each in sentences]),
        _asked(encoder, "composed", "other things, in red", in_red),
        _asked(encoder, "composed", "other things, other names", others),
    ]


def _asked(
    encoder: cir.Encoder,
    way: Mode,
    title: str,
    queries: Sequence[Query],
    *,
    in_domain: bool = False,
) -> Asked:
    return Asked(way, title, queries, embed(encoder, queries), [()] * len(queries), in_domain)


def _stamps(folder: Path) -> list[tuple[Image.Image, str]]:
    found = []
    for file in sorted(folder.rglob("*.png")):
        text = file.with_suffix(".txt")
        if not text.exists() or not set(KINDS) & set(file.parts):
            continue
        image = Image.open(file).convert("RGBA")
        if min(image.size) >= LEAST_STAMP:
            ground = Image.new("RGBA", image.size, "white")
            ground.alpha_composite(image)
            name = text.read_text(encoding="utf-8", errors="replace").splitlines()[0].strip()
            found.append((ground.convert("RGB"), name[:100]))
    return found


if __name__ == "__main__":
    main()
