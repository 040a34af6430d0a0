"""What do the options of a query do: balance, less, several references, crop and turn?

    python -m benchmarks.steering LABELLED_SET PHOTOS TABLE

The labelled set is a native one over the photos; the table (CSV) has the columns id, articleType
and baseColour, and the photos are named id.jpg. Prints the tables of docs/evaluation.md. Shares
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

Row = NDArray[np.float32]

FIRST = 10
SAMPLE = 400
DEFINITIONS: Mapping[str, Callable[[Row, Row], Row]] = {
    "all of n": lambda q, n: n,
    "as much of n as q has": lambda q, n: max(0.0, float(q @ n)) * n,
    "what of n is at right angles to q": lambda q, n: n - float(q @ n) * q,
}
"""What of an unwanted row n is taken from a query's row q, times a strength; the last is ours, with
half the weight as strength."""

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
        return self.nearest(embed(self.encoder, [query], options=options)[0], without)

    def nearest(self, row: Row, without: Sequence[int]) -> list[int]:
        """Places of the images nearest to a row."""
        scores = self.rows @ row
        scores[list(without)] = -np.inf
        best: list[int] = np.argsort(-scores, kind="stable")[:FIRST].tolist()
        return best

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
    _definitions(photos, sample, others)
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
    weights = (0.0, *WEIGHTS)
    rows: dict[str, list[float]] = {}
    for name, (query, options) in ways.items():
        shares = np.zeros((len(weights), len(sample), 3))
        for place, at in enumerate(sample):  # weight by weight: what is encoded is then kept
            for row, weight in enumerate(weights):
                told = options(at, weight) if weight else USUAL
                best = photos.first(query(at), [at, *others[at][:1]], told)
                kind = photos.kinds[best] == photos.kinds[at]
                unwanted = photos.colours[best] == photos.colours[at]
                shares[row, place] = kind.mean(), unwanted.mean(), (kind & ~unwanted).mean()
        for weight, means in zip(weights, shares.mean(axis=1), strict=True):
            rows[f"{name}, weight {weight:g}" if weight else f"{name}: without"] = means.tolist()
    _print(["query", "same type", "the colour", "same type, other colour"], rows)


def _definitions(
    photos: Photos, sample: Sequence[int], others: Mapping[int, Sequence[int]]
) -> None:
    """The same queries by what is taken away: same type and not the unwanted colour."""
    wanted = {
        "a picture": photos.rows[list(sample)],
        "a type": photos.encoder.encode_texts([str(photos.kinds[at]).lower() for at in sample]),
    }
    unwanted = {
        "its colour": photos.encoder.encode_texts([str(photos.colours[at]) for at in sample]),
        "a picture of it": photos.rows[[others[at][0] for at in sample]],
    }
    rows = {}
    for name, part in DEFINITIONS.items():
        for strength in (0.25, 0.5, 1.0):
            rows[f"{strength:g} of {name}"] = [
                float(
                    np.mean(
                        [
                            _other_colour(photos, q - strength * part(q, n), at, others[at][0])
                            for q, n, at in zip(wanted[one], unwanted[other], sample, strict=True)
                        ]
                    )
                )
                for one in wanted
                for other in unwanted
            ]
    _print(["taken away", *(f"{one}, less {other}" for one in wanted for other in unwanted)], rows)


def _other_colour(photos: Photos, row: Row, at: int, other: int) -> float:
    best = photos.nearest(row, [at, other])
    same = photos.colours[best] == photos.colours[at]
    return float(((photos.kinds[best] == photos.kinds[at]) & ~same).mean())


def _more(photos: Photos, sample: Sequence[int], others: Mapping[int, Sequence[int]]) -> None:
    """References of one type and colour: how many of the first results are, too."""
    counts = (1, 2, 3)
    shares = np.zeros((len(counts), len(sample), 3))
    for place, at in enumerate(sample):
        more = tuple(More(photos.open(each)) for each in others[at])
        for row, count in enumerate(counts):
            query = Query(photos.open(at), more=more[: count - 1])
            best = photos.first(query, [at, *others[at]], USUAL)
            shares[row, place] = _shares(photos, best, at)
    rows = {
        str(count): means.tolist() for count, means in zip(counts, shares.mean(axis=1), strict=True)
    }
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
