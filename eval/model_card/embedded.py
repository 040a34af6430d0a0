"""A labelled set embedded whole: the gallery, and the queries in each mode."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cir.encoders.protocol import Embeddings, Encoder
from cir.images import is_image_name, open_image
from cir.parallel import batched
from cir.search import MODES
from eval.measures import MEASURES
from eval.sets.labelled import LabelledSet

BATCH = 64
Ranks = NDArray[np.int64]
"""`(queries,)`: rank of each query's first target, from 1."""


@dataclass(frozen=True)
class Embedded:
    """Unit rows of a gallery and of a labelled set's queries.

    Attributes:
        labelled: the queries. encoder: what embedded them. folder: of the gallery.
        paths: of the gallery's images, in the order of `gallery`.
        gallery: `(n, dim)`.
        references: `(queries,)` places of the reference images in the gallery.
    """

    labelled: LabelledSet
    encoder: Encoder
    folder: Path
    paths: Sequence[str]
    gallery: Embeddings
    references: NDArray[np.int64]

    @property
    def instructions(self) -> list[str]:
        """Of the queries, in their order."""
        return [query.instruction for query in self.labelled.queries]

    def composed(self, instructions: Sequence[str]) -> Embeddings:
        """`(queries, dim)` rows of the references with these instructions."""
        parts = [
            self.encoder.encode_composed(
                [open_image(self.folder / self.paths[place]) for place in self.references[rows]],
                [instructions[row] for row in rows],
            )
            for rows in batched(range(len(instructions)), BATCH)
        ]
        return np.concatenate(parts)

    def modes(self) -> dict[str, Embeddings]:
        """`(queries, dim)` rows for each of `cir.search.MODES`."""
        image = self.gallery[self.references]
        text = self.encoder.encode_texts(self.instructions)
        both = image + text
        rows = {
            "composed": self.composed(self.instructions),
            "image": image,
            "text": text,
            "sum": both / np.linalg.norm(both, axis=1, keepdims=True),
        }
        return {mode: rows[mode] for mode in MODES}

    def order(self, rows: Embeddings, gallery: Embeddings | None = None) -> NDArray[np.int64]:
        """`(queries, n)`: the gallery's places, best first; the reference is last."""
        scores = rows @ (self.gallery if gallery is None else gallery).T
        scores[np.arange(len(scores)), self.references] = -np.inf
        return np.argsort(-scores, axis=1, kind="stable")

    def ranks(self, order: NDArray[np.int64]) -> Ranks:
        """Ranks of the first targets."""
        right = np.zeros(order.shape, dtype=np.bool_)
        places = {path: place for place, path in enumerate(self.paths)}
        for row, query in enumerate(self.labelled.queries):
            right[row, [places[path] for path in query.targets if path in places]] = True
        found = np.take_along_axis(right, order, axis=1)
        return np.where(found.any(axis=1), found.argmax(axis=1) + 1, len(self.paths) + 1)


def embed(labelled: LabelledSet, folder: Path, encoder: Encoder) -> Embedded:
    """Embed every image below the folder; errors as `open_image` and the encoder have them."""
    paths = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and is_image_name(path.name)
    )
    parts = [
        encoder.encode_images([open_image(folder / path) for path in batch])
        for batch in batched(paths, BATCH)
    ]
    places = {path: place for place, path in enumerate(paths)}
    references = np.array([places[query.reference] for query in labelled.queries])
    return Embedded(labelled, encoder, folder, paths, np.concatenate(parts), references)


def recalls(ranks: Ranks, groups: Sequence[str]) -> dict[str, Mapping[str, float]]:
    """Measure -> value, for all queries ("all") and for each group."""
    chosen = {"all": np.ones(len(ranks), dtype=np.bool_)}
    named = np.array(groups)
    chosen |= {group: named == group for group in sorted(set(groups)) if group}
    return {
        group: {
            str(measure): round(float(measure.of_ranks(ranks[rows].astype(float)).mean()), 4)
            for measure in MEASURES
        }
        for group, rows in chosen.items()
    }
