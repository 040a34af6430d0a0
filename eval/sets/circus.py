"""CIRCUS's labels of published sets, as groups, where its files lie beside the annotations.

CIRCUS (Attimonelli et al., arXiv 2605.14787, 2026; https://github.com/matteoattimonelli/CIRCUS)
labels each query by what eleven encoders find: `shortcut_solvable`, `composition_required` or
`unresolved`. Its `shortcut_free_subsets/<set>/<label>/*.trace.csv` hold a row a query, with
`query_text`, `query_img_path` (a path that ends in the image's file) and `aggregate_label`. It
names queries by M-BEIR's ids, so reference image and text tell which query a row is of.
"""

import csv
from dataclasses import replace
from pathlib import Path

from cir.errors import UsageError
from eval.sets.labelled import LabelledSet

FOLDER = "shortcut_free_subsets"

_COLUMNS = ("query_img_path", "query_text", "aggregate_label")
_PREFIX = "CIRCUS: "


def with_circus_labels(labelled: LabelledSet, root: Path) -> LabelledSet:
    """The set with CIRCUS's label as a further group of each query that has one.

    Args:
        labelled: a published set.
        root: folder of its annotations; CIRCUS's folder is looked for in it and one below.

    Raises:
        UsageError: a file of CIRCUS cannot be read or lacks a column, or two rows contradict.
    """
    if labelled.protocol.image_id is None:
        return labelled
    pattern = f"{FOLDER}/{labelled.name.removeprefix('mbeir-')}/*/*.trace.csv"
    files = sorted({*root.glob(pattern), *root.glob(f"*/{pattern}")})
    if not files:
        return labelled
    labels: dict[tuple[str, str], str] = {}
    for path in files:
        for image, text, label in _rows(path):
            known = labels.setdefault((labelled.protocol.id_of(image), _words(text)), label)
            if known != label:
                raise UsageError(
                    f"{path} labels the query {text!r} about {image!r} as {label!r}, another row "
                    f"as {known!r}: leave one of them."
                )
    found = [labels.get((query.reference, _words(query.instruction))) for query in labelled.queries]
    queries = tuple(
        query if label is None else replace(query, aspects=(*query.groups, f"{_PREFIX}{label}"))
        for query, label in zip(labelled.queries, found, strict=True)
    )
    count = len(found) - found.count(None)
    note = f"CIRCUS labels {count} of the {len(found)} queries."
    return replace(labelled, queries=queries, notes=(*labelled.notes, note))


def _rows(path: Path) -> list[tuple[str, str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            lacking = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
            if lacking:
                raise UsageError(f"{path} has no column {lacking[0]!r}: it is no file of CIRCUS.")
            return [
                (row["query_img_path"] or "", row["query_text"] or "", row["aggregate_label"] or "")
                for row in rows
            ]
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read ({error}).") from error


def _words(text: str) -> str:
    return " ".join(text.casefold().split())
