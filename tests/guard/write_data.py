"""Writes `data.zip` and `expected.json`: `python -m tests.guard.write_data`, as root.

It makes `/recompose-guard` and takes it away at the end: the index, the gallery and the run hold
the place of their pictures, and this one is nobody's.
"""

import csv
import json
import shutil
from pathlib import Path

from cir.settings import Settings
from eval.sets.own import NewQuery, add_query
from tests.drawn import COLOURS, draw_album
from tests.guard.stored import ARCHIVE, EXPECTED, INDEX, OWN_SET, SEARCHES, SET, WRITTEN_IN, Stored

FABRICS = ("Köper", "linen", "wool")
QUERIES = [
    ("red.png", "in blue", "colour", ["blue.png"]),
    ("green.png", "in yellow", "colour", ["yellow.png"]),
    ("blue.png", "with stripes", "pattern", ["striped/blue striped.png"]),
    ("purple.png", "with checks", "pattern", ["striped/checked/purple checked.png"]),
    ("striped/red striped.png", "in green", "colour", ["striped/green striped.png"]),
    (
        "striped/checked/orange checked.png",
        "in red, über alles",
        "",
        ["red.png", "striped/red striped.png", "striped/checked/red checked.png"],
    ),
]


def write_table(pictures: Path) -> None:
    """A row a picture but the last: text, an integer and a boolean, some cells empty."""
    paths = sorted(path.relative_to(pictures).as_posix() for path in pictures.rglob("*.png"))
    with (pictures / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["file", "colour", "fabric", "price", "on_sale"])
        for number, path in enumerate(paths[:-1]):
            colour = next(each for each in COLOURS if each in path)
            fabric = FABRICS[number % 3] if number != 4 else ""
            price = 10 + 5 * number if number != 7 else ""
            table.writerow([path, colour, fabric, price, str(number % 2 == 0).lower()])


def write_set(folder: Path) -> None:
    """The labelled set, in the native format."""
    (folder / "qrels").mkdir(parents=True)
    queries, judged = [], ["query-id\tcorpus-id\tscore"]
    for number, (image, text, group, targets) in enumerate(QUERIES, 1):
        record = {"_id": f"q{number}", "image": image, "text": text}
        queries.append(json.dumps(record | ({"group": group} if group else {})))
        judged += [f"q{number}\t{target}\t1" for target in targets]
    (folder / "queries.jsonl").write_text("\n".join(queries) + "\n", encoding="utf-8")
    (folder / "qrels" / "test.tsv").write_text("\n".join(judged) + "\n", encoding="utf-8")


def write(folder: Path) -> Stored:
    """Draw, index, evaluate, and add an own set."""
    stored = Stored(folder)
    draw_album(stored.pictures)
    stored.date_pictures()
    write_table(stored.pictures)
    write_set(folder / "set")
    stored.cir.document("index", stored.pictures, "--name", INDEX)
    stored.eval.document("register", SET, "--root", folder / "set", "--images", stored.pictures)
    stored.eval.document("run", "--set", SET, "--ablations")
    settings = Settings(None, None, folder / "data", "compact")
    for image, text, group, targets in QUERIES[:3]:
        add_query(OWN_SET, NewQuery(INDEX, image, text, tuple(targets), group), settings)
    return stored


def main() -> None:
    """Write both files."""
    folder = Path(WRITTEN_IN)
    folder.mkdir()
    try:
        stored = write(folder)
        shutil.make_archive(str(ARCHIVE.with_suffix("")), "zip", folder)
        expected = {
            "searches": {
                name: {hit["path"]: hit["score"] for hit in stored.search(name)}
                for name in SEARCHES
            },
            "comparison": stored.compare(),
        }
        text = json.dumps(expected, indent=1, ensure_ascii=False)
        EXPECTED.write_text(text + "\n", encoding="utf-8")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
