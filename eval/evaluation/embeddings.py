"""Rankings of embeddings that some system computed, from a numpy file.

The file is an `.npz` (`numpy.savez`) with these arrays; nothing in it is unpickled:

- `gallery`: `(n, dim)`, an embedding for each image; `gallery_ids`: `(n,)` its name or path, as
  text.
- `queries`: `(m, dim)`, an embedding for each composed query; `query_ids`: `(m,)` its id, as text.
- optionally `image`, `text`, `sum`: `(m, dim)`, what the system makes of the reference image
  alone, of the text alone, and of their sum: the ablations. With the first two and without the
  third the sum is that of the two unit rows, as in `cir.search.embed`.

Images are ranked by cosine similarity, equal ones by name.
"""

import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cir.encoders.unit import normalised
from cir.errors import UsageError
from cir.parallel import batched
from eval.runs.ranks import COMPOSED

SUFFIX = ".npz"

_ABLATIONS = ("image", "text", "sum")
_BATCH = 64
_UNREADABLE = (OSError, ValueError, EOFError, KeyError, MemoryError, zipfile.BadZipFile)

Rows = NDArray[np.float32]
"""`(n, dim)` unit rows."""


@dataclass(frozen=True)
class Embedded:
    """What the file holds.

    Attributes:
        images: names of the gallery's images, in the order of their names.
        gallery: `(n, dim)` their unit rows.
        queries: ids of the queries.
        modes: mode -> `(m, dim)` unit rows of the queries; `composed` is there.
    """

    images: tuple[str, ...]
    gallery: Rows
    queries: tuple[str, ...]
    modes: Mapping[str, Rows]

    def ranked(self, mode: str, limit: int) -> Iterator[tuple[str, list[str]]]:
        """Query id and the first images, best first, of each query in a mode."""
        for places in batched(range(len(self.queries)), _BATCH):
            scores = self.modes[mode][places] @ self.gallery.T
            # Stable, so that equal scores stay in the order of the names.
            orders = np.argsort(-scores, axis=1, kind="stable")[:, :limit]
            for place, order in zip(places, orders, strict=True):
                yield self.queries[place], [self.images[at] for at in order]

    def ranked_among(self, mode: str, query: str, images: Collection[str]) -> list[str]:
        """Those of the images that the gallery holds, best first, for one query in a mode."""
        places = [at for at, name in enumerate(self.images) if name in images]
        scores = self.gallery[places] @ self.modes[mode][self.queries.index(query)]
        return [self.images[places[at]] for at in np.argsort(-scores, kind="stable")]


def read_embeddings(path: Path) -> Embedded:
    """The embeddings of a file.

    Raises:
        UsageError: it cannot be read, lacks an array, or an array does not fit the others, is no
            numbers, or has a row without a direction. The message names the first problem.
    """
    try:
        file = np.load(path, allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise UsageError(f"{path} is a single array, not an .npz of several.")
        with file:
            given = {name: file[name] for name in file.files if name in _KNOWN}
    except _UNREADABLE as error:
        raise UsageError(
            f"{path} cannot be read as an .npz of arrays ({error}). Names are saved as text, "
            "numpy.array(names, dtype=str): objects are not opened."
        ) from error
    lacking = [name for name in _NEEDED if name not in given]
    if lacking:
        raise UsageError(f"{path} lacks the array {lacking[0]!r}: it needs {', '.join(_NEEDED)}.")
    images = _names(path, "gallery_ids", given)
    queries = _names(path, "query_ids", given)
    gallery = _rows(path, "gallery", given, images)
    modes = {COMPOSED: _rows(path, "queries", given, queries)}
    modes |= {name: _rows(path, name, given, queries) for name in _ABLATIONS if name in given}
    for name, rows in modes.items():
        if rows.shape[1] != gallery.shape[1]:
            array = "queries" if name == COMPOSED else name
            raise UsageError(
                f"{path}: {array!r} has rows of length {rows.shape[1]}, 'gallery' of length "
                f"{gallery.shape[1]}."
            )
    if {"image", "text"} <= modes.keys() and "sum" not in modes:
        modes["sum"] = normalised(modes["image"] + modes["text"])
    order = sorted(range(len(images)), key=images.__getitem__)
    return Embedded(tuple(images[at] for at in order), gallery[order], tuple(queries), modes)


_NEEDED = ("gallery", "gallery_ids", "queries", "query_ids")
_KNOWN = {*_NEEDED, *_ABLATIONS}


def _names(path: Path, name: str, given: Mapping[str, NDArray[np.generic]]) -> list[str]:
    array = given[name]
    if array.ndim != 1 or array.dtype.kind not in "Uiu":
        raise UsageError(f"{path}: {name!r} is not a row of texts, numpy.array(names, dtype=str).")
    names = [str(each) for each in array.tolist()]
    if not names:
        raise UsageError(f"{path}: {name!r} is empty.")
    seen: set[str] = set()
    for each in names:
        if each in seen:
            raise UsageError(f"{path}: {name!r} names {each!r} twice.")
        seen.add(each)
    return names


def _rows(
    path: Path, name: str, given: Mapping[str, NDArray[np.generic]], names: Sequence[str]
) -> Rows:
    array = given[name]
    if array.ndim != 2 or array.dtype.kind != "f" or not array.shape[1]:
        raise UsageError(f"{path}: {name!r} is not a table of floating point numbers, a row each.")
    if len(array) != len(names):
        raise UsageError(
            f"{path}: {name!r} has {len(array)} rows, but there are {len(names)} names for them."
        )
    rows: Rows = array.astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1)
    wrong = np.flatnonzero(~np.isfinite(lengths) | (lengths == 0))
    if wrong.size:
        raise UsageError(
            f"{path}: {name!r} has no usable embedding of {names[wrong[0]]!r}: its row holds a "
            "number that is not finite, or zeros alone."
        )
    return normalised(rows)
