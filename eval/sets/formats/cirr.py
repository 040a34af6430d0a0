"""CIRR: `cap.rc2.<split>.json` and `split.rc2.<split>.json`.

A record is `{"pairid", "reference", "target_hard", "caption", "img_set": {"members": [six]}}`; the
split file maps each image of the gallery to its file. Measured are R@1, 5, 10, 50 on `target_hard`
with the reference taken out of the ranking, and R_subset@1, 2, 3 of a search among the members
without the reference. The records of the test split name no target.
Liu et al., ICCV 2021; https://github.com/Cuberick-Orion/CIRR
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cir.errors import UsageError
from eval.sets.formats.annotations import (
    Annotations,
    find,
    fingerprint,
    image,
    images,
    read_json,
    records,
    text,
    unique_ids,
)
from eval.sets.labelled import CIRR, LabelledQuery, LabelledSet

FAMILY = "cirr"
DEFAULT_SPLIT = "val"


def load_cirr(root: Path, split: str | None = None) -> LabelledSet:
    """The queries of a split.

    Args:
        root: holds the annotation files, flat or in `captions/` and `image_splits/`.
        split: "val" if None; "test1" has no targets.

    Raises:
        UsageError: a file is missing or malformed; the message names it and the place.
    """
    split = split or DEFAULT_SPLIT
    captions = read_json(find(root, FAMILY, f"cap.rc2.{split}.json"))
    listed = read_json(find(root, FAMILY, f"split.rc2.{split}.json"))
    gallery = _gallery(listed)
    found = list(records(captions))
    judged = any("target_hard" in record for _, record in found)
    queries = tuple(_query(record, place, judged) for place, record in found)
    unique_ids([(query.id, place) for query, (place, _) in zip(queries, found, strict=True)])
    for query in queries:
        for name, place in query.places.items():
            if name not in gallery:
                raise UsageError(f"{place}: the image {name!r} is not in {listed.path}.")
    return LabelledSet(
        name=FAMILY,
        split=split,
        queries=queries,
        fingerprint=fingerprint([captions, listed]),
        protocol=CIRR,
        gallery=gallery,
    )


def _gallery(file: Annotations) -> dict[str, str]:
    if not isinstance(file.content, dict) or not file.content:
        raise UsageError(f"{file.path}: not an object of images and their files.")
    return dict.fromkeys(file.content, str(file.path))


def _query(record: Mapping[str, Any], place: str, judged: bool) -> LabelledQuery:
    reference = image(record, "reference", place)
    targets = {image(record, "target_hard", place): 1} if judged else {}
    image_set = record.get("img_set")
    if not isinstance(image_set, dict):
        raise UsageError(f"{place}: 'img_set' with its 'members' is missing.")
    members = images(image_set, "members", place)
    return LabelledQuery(
        id=image(record, "pairid", place),
        reference=reference,
        instruction=text(record, "caption", place),
        targets=targets,
        places=dict.fromkeys([reference, *targets, *members], place),
        candidates=tuple(name for name in members if name != reference),
    )
