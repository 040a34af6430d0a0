"""What a table of attributes tells of an encoder: captions, same types, mistaken colours."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cir.indexing.metadata import MetadataTable, read_table
from eval.model_card.embedded import Embedded

CUTS = (1, 5, 10, 50)
SAME_TYPE_CUT = 10
TYPE, COLOUR, NAME = "articleType", "baseColour", "name"


def attributes_of(table: Path, embedded: Embedded) -> list[Mapping[str, object]]:
    """The table's values for each image of the gallery, in its order; {} where it has none."""
    read: MetadataTable = read_table(table, embedded.paths)
    return [read.lookup(path) or {} for path in embedded.paths]


def caption_recall(
    embedded: Embedded, attributes: list[Mapping[str, object]]
) -> Mapping[str, float]:
    """Product name to its own photo, by text alone: recall@k; one photo of all is right."""
    named = [place for place, values in enumerate(attributes) if values.get(NAME)]
    if not named:
        return {}
    texts = embedded.encoder.encode_texts([str(attributes[place][NAME]) for place in named])
    scores = texts @ embedded.gallery.T
    own = scores[np.arange(len(named)), named]
    ranks = (scores > own[:, None]).sum(axis=1) + 1
    return {f"recall@{cut}": round(float((ranks <= cut).mean()), 4) for cut in CUTS}


def same_type_rate(embedded: Embedded, attributes: list[Mapping[str, object]]) -> float:
    """Share of an image's ten nearest images that are of its type, the mean over all images."""
    types = np.array([str(values.get(TYPE, "")) for values in attributes])
    scores = embedded.gallery @ embedded.gallery.T
    np.fill_diagonal(scores, -np.inf)
    near = np.argsort(-scores, axis=1)[:, :SAME_TYPE_CUT]
    return round(float((types[near] == types[:, None])[types != ""].mean()), 4)


def mistaken_colours(
    embedded: Embedded, order: NDArray[np.int64], attributes: list[Mapping[str, object]]
) -> list[tuple[str, str, int]]:
    """(wanted colour, colour of the first result, how often) where they differ, common ones first.

    The wanted colour is that of the targets, for the queries of the group "colour".
    """
    colours = {
        path: str(values.get(COLOUR, ""))
        for path, values in zip(embedded.paths, attributes, strict=True)
    }
    counts: Counter[tuple[str, str]] = Counter()
    for query, places in zip(embedded.labelled.queries, order, strict=True):
        if query.group != "colour":
            continue
        wanted = {colours[path] for path in query.targets if path in colours}
        got = colours[embedded.paths[places[0]]]
        if len(wanted) == 1 and got not in wanted:
            counts[wanted.pop(), got] += 1
    return [(*pair, count) for pair, count in counts.most_common()]
