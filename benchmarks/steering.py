"""What do the options of a query do: balance, less, several references, crop and turn?

    python -m benchmarks.steering LABELLED_SET PHOTOS TABLE

The labelled set is a native one over the photos; the table (CSV) has the columns id, articleType
and baseColour, and the photos are named id.jpg. Prints the tables of docs/performance.md. Shares
are of the first ten results, without the references; the same 400 references each time.
"""

import csv
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cir.encoders.protocol import Embeddings, Encoder
from cir.encoders.registry import load_encoder
from cir.images import open_image
from cir.search import USUAL, More, Query, SearchOptions, embed
from eval.sets.catalogue import load_set

FIRST = 10
SAMPLE = 400
BALANCES = (0.0, 0.25, 0.5, 0.75, 1.0)
WEIGHTS = (0.5, 1.0, 2.0)


@dataclass(frozen=True)
class Photos:
    """Photos with what is known of them and their embeddings, `(n, dim)`, in one order."""

    encoder: Encoder
    folder: Path
    names: list[str]
    kinds: NDArray[np.str_]
    colours: NDArray[np.str_]
    rows: Embeddings

    def open(self, at: int) -> Image.Image:
        return open_image(self.folder / self.names[at])

    def first(self, query: Query, without: Sequence[int], options: SearchOptions) -> list[int]:
        """Places of the first results."""
        scores = self.rows @ embed(self.encoder, [query], options=options)[0]
        scores[list(without)] = -np.inf
        return np.argsort(-scores, kind="stable")[:FIRST].tolist()

    def like(self, at: int) -> list[int]:
        """Others of the same kind and colour."""
        same = (self.kinds == self.kinds[at]) & (self.colours == self.colours[at])
        return [other for other in np.flatnonzero(same).tolist() if other != at]


def main() -> None:
    """Measure, and print a table each."""
    labelled, folder, table = map(Path, sys.argv[1:4])
    photos = _photos(folder, table)
    random = np.random.default_rng(0)
    able = [at for at in range(len(photos.names)) if len(photos.like(at)) >= 3]
    sample = random.permutation(able)[:SAMPLE].tolist()
    others = {at: random.permutation(photos.like(at))[:2].tolist() for at in sample}
    strangers = {
        at: int(random.choice(np.flatnonzero(photos.kinds != photos.kinds[at]))) for at in sample
    }
    print(f"{len(photos.names)} photos, {len(sample)} references\n")
    _balance(photos, labelled)
    _less(photos, sample, others)
    _more(photos, sample, others)
    _seen(photos, sample, strangers)


def _photos(folder: Path, table: Path) -> Photos:
    with table.open(encoding="utf-8", newline="") as file:
        known = {f"{row['id']}.jpg": row for row in csv.DictReader(file)}
    names = sorted(path.name for path in folder.iterdir() if path.name in known)
    encoder = load_encoder("compact")
    return Photos(
        encoder,
        folder,
        names,
        np.array([known[name]["articleType"] for name in names]),
        np.array([known[name]["baseColour"].lower() for name in names]),
        encoder.encode_images([open_image(folder / name) for name in names]),
    )


def _balance(photos: Photos, folder: Path) -> None:
    """Recall@10 of composed queries by what they change."""
    queries = load_set("native", folder).queries
    asked = [
        Query(open_image(photos.folder / each.reference), each.instruction) for each in queries
    ]
    place = {name: at for at, name in enumerate(photos.names)}
    groups = sorted({group for each in queries for group in each.groups})
    within = {group: [group in each.groups for each in queries] for group in groups}
    rows = {}
    for balance in BALANCES:
        told = SearchOptions(balance=balance)
        scores = embed(photos.encoder, asked, options=told) @ photos.rows.T
        for row, query in zip(scores, queries, strict=True):
            row[place[query.reference]] = -np.inf
        best = np.argsort(-scores, axis=1, kind="stable")[:, :FIRST].tolist()
        hit = np.array(
            [
                any(photos.names[at] in query.first_targets for at in row)
                for row, query in zip(best, queries, strict=True)
            ]
        )
        rows[f"{balance:g}"] = [hit.mean(), *(hit[within[group]].mean() for group in groups)]
    _print(["balance", "recall@10", *groups], rows)


def _less(photos: Photos, sample: Sequence[int], others: Mapping[int, Sequence[int]]) -> None:
    """Queries by picture and by text, steered away from a colour and from a picture."""

    def picture(at: int) -> Query:
        return Query(photos.open(at))

    def words(at: int) -> Query:
        return Query(instruction=str(photos.kinds[at]).lower())

    def colour(at: int, weight: float) -> SearchOptions:
        return SearchOptions(less=[f"{photos.colours[at]}*{weight}"])

    def another(at: int, weight: float) -> SearchOptions:
        return SearchOptions(less_image=[f"{photos.folder / photos.names[others[at][0]]}*{weight}"])

    ways: dict[str, tuple[Callable[[int], Query], Callable[[int, float], SearchOptions]]] = {
        "a picture, less its colour": (picture, colour),
        "a type, less a colour": (words, colour),
        "a picture, less one like it": (picture, another),
        "a type, less a picture of it": (words, another),
    }
    rows: dict[str, list[float]] = {}
    for name, (query, options) in ways.items():
        for weight in (0.0, *WEIGHTS):
            shares = []
            for at in sample:
                told = options(at, weight) if weight else USUAL
                best = photos.first(query(at), [at, *others[at][:1]], told)
                kind = photos.kinds[best] == photos.kinds[at]
                unwanted = photos.colours[best] == photos.colours[at]
                shares.append((kind.mean(), unwanted.mean(), (kind & ~unwanted).mean()))
            label = f"{name}, weight {weight:g}" if weight else f"{name}: without"
            rows[label] = np.mean(shares, axis=0).tolist()
    _print(["query", "same type", "the colour", "same type, other colour"], rows)


def _more(photos: Photos, sample: Sequence[int], others: Mapping[int, Sequence[int]]) -> None:
    """References of one type and colour: how many of the first results are, too."""
    rows = {}
    for count in (1, 2, 3):
        shares = []
        for at in sample:
            more = others[at][: count - 1]
            query = Query(photos.open(at), more=tuple(More(photos.open(each)) for each in more))
            best = photos.first(query, [at, *others[at]], USUAL)
            shares.append(_shares(photos, best, at))
        rows[f"{count}"] = np.mean(shares, axis=0).tolist()
    _print(["references", "same type", "same colour", "both"], rows)


def _seen(photos: Photos, sample: Sequence[int], strangers: Mapping[int, int]) -> None:
    """A reference beside another photo, and one that lies on its side, as they are and mended."""
    ways: dict[str, tuple[Callable[[int], Image.Image], SearchOptions]] = {
        "the photo itself": (photos.open, USUAL),
        "beside another photo": (lambda at: _beside(photos, at, strangers[at]), USUAL),
        "beside another photo, cropped": (
            lambda at: _beside(photos, at, strangers[at]),
            SearchOptions(crop="0,0,0.5,1"),
        ),
        "on its side": (lambda at: photos.open(at).rotate(90, expand=True), USUAL),
        "on its side, turned": (
            lambda at: photos.open(at).rotate(90, expand=True),
            SearchOptions(turn=90),
        ),
    }
    rows = {}
    for name, (reference, options) in ways.items():
        shares = [
            _shares(photos, photos.first(Query(reference(at)), [at, strangers[at]], options), at)
            for at in sample
        ]
        rows[name] = np.mean(shares, axis=0).tolist()
    _print(["reference", "same type", "same colour", "both"], rows)


def _beside(photos: Photos, at: int, other: int) -> Image.Image:
    left, right = photos.open(at), photos.open(other).resize(photos.open(at).size)
    both = Image.new("RGB", (2 * left.width, left.height), "white")
    both.paste(left, (0, 0))
    both.paste(right, (left.width, 0))
    return both


def _shares(photos: Photos, best: Sequence[int], at: int) -> tuple[float, float, float]:
    kind = photos.kinds[list(best)] == photos.kinds[at]
    colour = photos.colours[list(best)] == photos.colours[at]
    return float(kind.mean()), float(colour.mean()), float((kind & colour).mean())


def _print(titles: Iterable[str], rows: Mapping[str, Sequence[float]]) -> None:
    titles = list(titles)
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}")
    for name, values in rows.items():
        print(f"| {name} | {' | '.join(f'{value:.2f}' for value in values)} |")
    print(flush=True)


if __name__ == "__main__":
    main()
