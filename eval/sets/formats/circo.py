"""CIRCO: `<split>.json` over COCO's unlabelled images of 2017.

A record is `{"id", "reference_img_id", "target_img_id", "relative_caption", "gt_img_ids",
"semantic_aspects"}`. Measured are mAP@5, 10, 25, 50 over all of `gt_img_ids`, recall@k of
`target_img_id` alone, and mAP@10 within each semantic aspect. The gallery is the whole folder of
images, 123,403 of them, which the annotations do not list. The records of the test split name no
targets.

For the test server (https://circo.micc.unifi.it) there is one file, `{id: [50 image numbers]}`.
Baldrati et al., ICCV 2023; https://github.com/miccunifi/CIRCO
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cir.errors import UsageError
from eval.measures import AveragePrecision, Recall
from eval.sets.formats import Format, Ranked, Template
from eval.sets.formats.annotations import (
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

FAMILY = "circo"
DEFAULT_SPLIT = "val"
_HANDED_IN = 50
_DIGITS = 12  # of an image's number
_GALLERY = 123_403
"""COCO's unlabelled images of 2017 (Baldrati et al., section 4)."""


def load_circo(root: Path, split: str | None = None) -> LabelledSet:
    """The queries of a split.

    Args:
        root: holds `<split>.json`, or `annotations/` does.
        split: "val" if None; "test" has no targets.

    Raises:
        UsageError: the file is missing or malformed; the message names it and the place.
    """
    split = split or DEFAULT_SPLIT
    file = read_json(find(root, FAMILY, f"{split}.json"))
    found = list(records(file))
    judged = any("gt_img_ids" in record for _, record in found)
    queries = tuple(_query(record, place, judged) for place, record in found)
    unique_ids([(query.id, place) for query, (place, _) in zip(queries, found, strict=True)])
    return LabelledSet(FAMILY, split, queries, fingerprint([file]), FORMAT)


def _query(record: Mapping[str, Any], place: str, judged: bool) -> LabelledQuery:
    reference = image(record, "reference_img_id", place)
    targets: tuple[str, ...] = ()
    counted = None
    if judged:
        targets = images(record, "gt_img_ids", place)
        counted = image(record, "target_img_id", place)
        if counted not in targets:
            raise UsageError(f"{place}: 'target_img_id' is not among 'gt_img_ids'.")
    return LabelledQuery(
        id=image(record, "id", place),
        reference=reference,
        instruction=text(record, "relative_caption", place),
        targets=dict.fromkeys(targets, 1),
        places=dict.fromkeys([reference, *targets], place),
        aspects=_aspects(record, place),
        counted=counted,
        fields=_fields(record, place),
    )


def _fields(record: Mapping[str, Any], place: str) -> dict[str, str]:
    """What templates may name beside the caption."""
    caption = text(record, "relative_caption", place)
    shared = (
        {}
        if "shared_concept" not in record
        else {"shared_concept": text(record, "shared_concept", place)}
    )
    return {"relative_caption": caption, **shared}


def _aspects(record: Mapping[str, Any], place: str) -> tuple[str, ...]:
    given = record.get("semantic_aspects", [])
    if not isinstance(given, list) or not all(isinstance(each, str) and each for each in given):
        raise UsageError(f"{place}: 'semantic_aspects' is not a list of names.")
    return tuple(dict.fromkeys(given))


def _coco_id(path: str) -> str:
    """COCO's number of an image: `unlabeled2017/000000271520.jpg` is 271520."""
    name = stem(path)
    return str(int(name)) if _is_number(name) else name


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) <= _DIGITS


def _submission(ranked: Ranked, among: Ranked) -> Mapping[str, str]:
    for query, found in ranked.items():
        if len(found) < _HANDED_IN:
            raise UsageError(
                f"CIRCO's server takes {_HANDED_IN} images a query; {query!r} has {len(found)}: "
                "the gallery is too small."
            )
        name = next((each for each in found[:_HANDED_IN] if not _is_number(each)), None)
        if name is not None:
            raise UsageError(
                f"CIRCO's server takes images by their COCO numbers; {query!r} ranks {name!r}, "
                "which carries none: search the folder of COCO's images alone."
            )
    numbers = {query: list(map(int, found[:_HANDED_IN])) for query, found in ranked.items()}
    return {"circo.json": json.dumps(numbers)}


FORMAT = Format(
    title="CIRCO",
    names=(FAMILY,),
    published="2023-03",
    protocol=Protocol(
        measures=(
            *(AveragePrecision(k) for k in (5, 10, 25, 50)),
            *(Recall(k) for k in (5, 10, 25, 50)),
        ),
        keep_reference=True,
        image_id=_coco_id,
        gallery_size=_GALLERY,
    ),
    load=lambda name, root, split, options: load_circo(root, split),
    templates={
        # https://github.com/VectorSpaceLab/MegaPairs, issues 15 and 33
        "bge-vl": Template("Find a picture that also {shared_concept}, but {relative_caption}."),
        # https://github.com/google-deepmind/magiclens, data_utils.py
        "magiclens": Template("find {shared_concept} but {relative_caption}"),
        # https://github.com/miccunifi/SEARLE, src/validate.py; $ is its own pseudo-word
        "searle": Template("a photo of $ that {relative_caption}"),
    },
    write_submission=_submission,
)
