"""FashionIQ: `cap.<category>.<split>.json` and `split.<category>.<split>.json`.

A record is `{"target", "candidate", "captions": [first, second]}`; the split file lists the images
of the gallery. Measured are R@10 and R@50 within each category and their mean, then all of these
over the three categories; the reference (`candidate`) stays in the ranking.
Wu et al., CVPR 2021; https://github.com/XiaoxiaoGuo/fashion-iq

Records have no ids: a query is `<category>-<position>`, counted from 0 in file order. A file of
rankings may count them without the category, or be the challenge's: a list of `{"candidate",
"ranking": [images]}` in the order of the captions.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cir.errors import UsageError
from eval.measures import MEASURES, Average, Recall
from eval.sets.formats import Format, Option, Rankings, Template, read_lists
from eval.sets.formats.annotations import (
    Annotations,
    find,
    fingerprint,
    image,
    images,
    read_json,
    records,
    stem,
)
from eval.sets.labelled import LabelledQuery, LabelledSet, Protocol

CATEGORIES = ("dress", "shirt", "toptee")
FAMILY = "fashioniq"
DEFAULT_SPLIT = "val"
HEADLINE = Average((Recall(10), Recall(50)))
"""What papers rank systems by, its mean over the three categories."""

_AROUND = ".?, "


def load_fashioniq(
    root: Path,
    category: str,
    split: str | None = None,
    *,
    small_gallery: bool = False,
    both_orders: bool = False,
) -> LabelledSet:
    """One category.

    Args:
        root: holds the annotation files, flat or in `captions/` and `image_splits/`.
        category: "dress", "shirt" or "toptee".
        split: "val" if None.
        small_gallery: search the references and targets alone, as some papers do, instead of the
            whole split.
        both_orders: average the embeddings of "first and second" and "second and first", as
            SEARLE does (Baldrati et al., ICCV 2023), instead of the first alone.

    Raises:
        UsageError: a file is missing or malformed; the message names it and the place.
    """
    split = split or DEFAULT_SPLIT
    captions = read_json(find(root, FAMILY, f"cap.{category}.{split}.json"))
    listed = read_json(find(root, FAMILY, f"split.{category}.{split}.json"))
    gallery = _gallery(listed)
    notes: list[str] = []
    queries = tuple(
        _query(f"{category}-{number}", record, place, both_orders, notes)
        for number, (place, record) in enumerate(records(captions))
    )
    if small_gallery:
        named = {path for query in queries for path in (query.reference, *query.targets)}
        gallery = {path: place for path, place in gallery.items() if path in named}
    for query in queries:
        for path, place in query.places.items():
            if path not in gallery:
                raise UsageError(f"{place}: the image {path!r} is not in {listed.path}.")
    return LabelledSet(
        name=f"{FAMILY}-{category}",
        split=split,
        queries=queries,
        # One order and both orders ask the same queries: their runs compare.
        fingerprint=fingerprint([captions, listed], small_gallery, False),
        former_fingerprint=fingerprint([captions, listed], small_gallery, both_orders),
        format=FORMAT,
        gallery=gallery,
        notes=tuple(notes),
    )


def _gallery(file: Annotations) -> dict[str, str]:
    if not isinstance(file.content, list) or not file.content:
        raise UsageError(f"{file.path}: not a list of images.")
    found: dict[str, str] = {}
    for number, name in enumerate(file.content, 1):
        place = f"{file.path}, entry {number}"
        if not isinstance(name, str) or not name:
            raise UsageError(f"{place}: {json.dumps(name)[:40]} is not the id of an image.")
        if name in found:
            raise UsageError(f"{place}: the image {name!r} stands in {found[name]} too.")
        found[name] = place
    return found


def _query(
    query_id: str, record: Mapping[str, Any], place: str, both_orders: bool, notes: list[str]
) -> LabelledQuery:
    parts = _captions(record, place)
    if len(parts) < 2:
        notes.append(f"{place}: one of the two captions is empty; the other is used alone.")
    reference = image(record, "candidate", place)
    target = image(record, "target", place) if "target" in record else None
    return LabelledQuery(
        id=query_id,
        reference=reference,
        instruction=" and ".join(parts),
        targets={} if target is None else {target: 1},
        places={reference: place} | ({} if target is None else {target: place}),
        reworded=" and ".join(reversed(parts)) if both_orders and len(parts) > 1 else "",
        captions=tuple(parts),
    )


def _captions(record: Mapping[str, Any], place: str) -> list[str]:
    """The captions that say something, without the punctuation around them."""
    given = record.get("captions")
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise UsageError(f"{place}: 'captions' is not a list of texts.")
    parts = [each.strip(_AROUND) for each in given]
    if len(parts) != 2 or not any(parts):
        raise UsageError(f"{place}: 'captions' does not hold two captions, or both are empty.")
    return [part for part in parts if part]


def _query_id(name: str, labelled: LabelledSet) -> str:
    return f"{labelled.name.rpartition('-')[2]}-{name}"


def _read_submission(path: Path, content: Any, labelled: LabelledSet) -> Rankings:
    if not isinstance(content, list):
        return read_lists(path, content, labelled)
    if len(content) != len(labelled.queries):
        raise UsageError(
            f"{path} holds a list of {len(content)} rankings; {labelled.name} has "
            f"{len(labelled.queries)} queries, each of which needs its own, in their order."
        )
    found: dict[str, list[str]] = {}
    listed = records(Annotations(path, content, ""))
    for query, (place, record) in zip(labelled.queries, listed, strict=True):
        if record.get("candidate") != query.reference:
            raise UsageError(
                f"{place}: 'candidate' is {record.get('candidate')!r}, but the query has "
                f"{query.reference!r}: the rankings are not in the order of the captions."
            )
        found[query.id] = list(images(record, "ranking", place))
    return Rankings(found)


def _load(name: str, root: Path, split: str | None, options: Mapping[str, bool]) -> LabelledSet:
    return load_fashioniq(root, name.removeprefix(f"{FAMILY}-"), split, **options)


FORMAT = Format(
    title="FashionIQ",
    names=tuple(f"{FAMILY}-{category}" for category in CATEGORIES),
    published="2019-05",
    protocol=Protocol(measures=(*MEASURES, HEADLINE), keep_reference=True, image_id=stem),
    load=_load,
    options=(
        Option("small_gallery", "search references and targets, not the whole split"),
        Option("both_orders", "average both orders of the two captions"),
    ),
    templates={
        # https://github.com/VectorSpaceLab/MegaPairs
        "bge-vl": Template(joined=", and "),
        # https://github.com/google-deepmind/magiclens, data_utils.py
        "magiclens": Template(),
        # https://github.com/miccunifi/SEARLE, src/validate.py; $ is its own pseudo-word
        "searle": Template("a photo of $ that {caption}", both_orders=True),
    },
    query_id=_query_id,
    read_submission=_read_submission,
)
