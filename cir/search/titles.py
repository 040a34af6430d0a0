"""What images are called, and which fields tell most of them apart."""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from cir.store import Hit, ImageRecord, MilvusIndex
from cir.store.columns import Column
from cir.store.facets import kind_of

_NAMES = re.compile(
    r"(display|product|item|full|short|article|picture|image|photo|english|en)*"
    r"(?P<what>title|name|caption|headline|label|description)(en|english)?"
)
_ORDER = ("title", "name", "caption", "headline", "label", "description")
_LONGEST = 200  # characters of most titles
_DIFFERENT = 0.3  # share of the images that a column named like a title tells apart, at least
_ALMOST_ALL = 0.9


def title_column(index: MilvusIndex) -> str:
    """The metadata column that holds the images' titles; "" where none does.

    The chosen one (`MilvusIndex.choose_title`); else the column that is named like a title and
    holds many different short texts; else the one whose texts of several words tell the most images
    apart.
    """
    chosen = index.info.title_column
    if chosen in index.info.columns:
        return chosen
    found = dict(_possible_titles(index.sample_columns().columns))
    named = [(_ORDER.index(what), name) for name in found if (what := _called(name))]
    if named:
        return min(named)[1]
    wordy = [name for name, share in found.items() if share >= _ALMOST_ALL]
    return max(wordy, key=lambda name: found[name], default="")


def title_of(image: ImageRecord | Hit, column: str) -> str:
    """What an image is called: the value of the title column, else its file's name."""
    return str(image.metadata.get(column, "")).strip() or PurePosixPath(image.path).name


def telling_columns(index: MilvusIndex, n: int = 2) -> list[str]:
    """The columns whose values tell most images apart at a glance, at most `n`, the first most.

    Each is the one that adds most to the entropy of those before it, over a sample. Columns that
    differ for nearly every image and the title are left out; numbers with many values come last.
    """
    columns = index.sample_columns().columns
    title = title_column(index)
    chosen: list[str] = []
    together = np.zeros(1, dtype=np.int64)
    for kind in ("choices", "range"):
        left = [name for name in columns if name != title and kind_of(columns[name]) == kind]
        while left and len(chosen) < n:
            joined = {name: _joined(together, columns[name]) for name in left}
            best = max(left, key=lambda name: _entropy(joined[name]))
            chosen.append(best)
            together = joined[best]
            left.remove(best)
    return chosen


def _possible_titles(columns: Mapping[str, Column]) -> Iterator[tuple[str, float]]:
    """Columns that may hold titles, with the share of the images that each tells apart."""
    for name, column in columns.items():
        valued = int(column.counts().sum())
        if column.kind != "string" or column.names_files or not valued:
            continue
        share = len(column.values) / len(column.codes)
        lengths = [len(str(value)) for value in column.values]
        words = np.mean([" " in str(value).strip() for value in column.values])
        if (
            share < _DIFFERENT
            or np.median(lengths) > _LONGEST
            or (not _called(name) and words < 1 / 2)
        ):
            continue
        yield name, share


def _called(name: str) -> str:
    """The kind of title that a column is named for; "" for none."""
    match = _NAMES.fullmatch(re.sub(r"[^a-z]", "", name.lower()))
    return match["what"] if match else ""


def _joined(codes: NDArray[np.int64], column: Column) -> NDArray[np.int64]:
    """`(n,)` codes of the pairs of two columns' values."""
    pairs = codes * (len(column.values) + 1) + column.codes
    return np.unique(pairs, return_inverse=True)[1].astype(np.int64)


def _entropy(codes: NDArray[np.int64]) -> float:
    """Shannon's entropy of the codes, in bits."""
    shares = np.bincount(codes) / len(codes)
    shares = shares[shares > 0]
    return float(-(shares * np.log2(shares)).sum())
