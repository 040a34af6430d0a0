"""CIRR: `cap.rc2.<split>.json` and `split.rc2.<split>.json`.

A record is `{"pairid", "reference", "target_hard", "caption", "img_set": {"members": [six]}}`; the
split file maps each image of the gallery to its file. Measured are R@1, 5, 10, 50 on `target_hard`
with the reference taken out of the ranking, and R_subset@1, 2, 3 of a search among the members
without the reference; papers rank systems by (R@5 + R_subset@1) / 2. The records of the test split
name no target. Queries of one image set share its images, so they are one cluster.

For the test server (https://cirr.cecs.anu.edu.au) there are two files, `{"version": "rc2",
"metric": "recall" | "recall_subset", pairid: [names]}`: the first 50 and, of the members alone,
the first 3.
Liu et al., ICCV 2021; https://github.com/Cuberick-Orion/CIRR
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cir.errors import UsageError
from eval.measures import MEASURES, Average, Recall, RecallSubset
from eval.sets.formats import Format, Ranked, Rankings, Template, read_lists
from eval.sets.formats.annotations import (
    Annotations,
    find,
    fingerprint,
    image,
    images,
    read_json,
    records,
    stem,
    text,
    unique_ids,
)
from eval.sets.labelled import LabelledQuery, LabelledSet, Protocol

FAMILY = "cirr"
DEFAULT_SPLIT = "val"
HEADLINE = Average((Recall(5), RecallSubset(1)))
"""What papers rank systems by, "Avg" in their tables."""

_VERSION, _METRIC, _SUBSET_METRIC = "version", "metric", "recall_subset"
_HANDED_IN, _OF_SUBSET = 50, 3


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
        format=FORMAT,
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
        cluster=str(image_set.get("id", " ".join(sorted(members)))),
    )


def _read_submission(path: Path, content: Any, labelled: LabelledSet) -> Rankings:
    if not isinstance(content, dict):
        return read_lists(path, content, labelled)
    lists = {key: each for key, each in content.items() if key not in {_VERSION, _METRIC}}
    found = read_lists(path, lists, labelled)
    return Rankings(found.by_query, of_candidates=content.get(_METRIC) == _SUBSET_METRIC)


def _submission(ranked: Ranked, among: Ranked) -> Mapping[str, str]:
    if not among:
        raise UsageError("CIRR's server takes rankings of the members alone; the run has none.")
    parts = (("recall", ranked, _HANDED_IN), (_SUBSET_METRIC, among, _OF_SUBSET))
    return {
        f"cirr-{metric}.json": json.dumps(
            {_VERSION: "rc2", _METRIC: metric}
            | {query: list(found[:depth]) for query, found in lists.items()}
        )
        for metric, lists, depth in parts
    }


FORMAT = Format(
    title="CIRR",
    names=(FAMILY,),
    published="2021-08",
    protocol=Protocol(
        measures=(*MEASURES, *(RecallSubset(k) for k in (1, 2, 3)), HEADLINE),
        image_id=stem,
        shared="image set",
    ),
    load=lambda name, root, split, options: load_cirr(root, split),
    # https://github.com/miccunifi/SEARLE, src/validate.py; $ is its own pseudo-word
    templates={"searle": Template("a photo of $ that {caption}")},
    read_submission=_read_submission,
    write_submission=_submission,
)
