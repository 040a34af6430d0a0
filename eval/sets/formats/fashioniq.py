"""FashionIQ: `cap.<category>.<split>.json` and `split.<category>.<split>.json`.

A record is `{"target", "candidate", "captions": [first, second]}`; the split file lists the images
of the gallery. Measured are R@10 and R@50 within each category, then their mean over the three;
the reference (`candidate`) stays in the ranking.
Wu et al., CVPR 2021; https://github.com/XiaoxiaoGuo/fashion-iq

Records have no ids: a query is `<category>-<position>`, counted from 0 in file order.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cir.errors import UsageError
from eval.sets.formats.annotations import Annotations, find, fingerprint, image, read_json, records
from eval.sets.labelled import FASHIONIQ, LabelledQuery, LabelledSet

CATEGORIES = ("dress", "shirt", "toptee")
FAMILY = "fashioniq"
DEFAULT_SPLIT = "val"
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
    images = read_json(find(root, FAMILY, f"split.{category}.{split}.json"))
    gallery = _gallery(images)
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
                raise UsageError(f"{place}: the image {path!r} is not in {images.path}.")
    return LabelledSet(
        name=f"{FAMILY}-{category}",
        split=split,
        queries=queries,
        fingerprint=fingerprint([captions, images], small_gallery, both_orders),
        protocol=FASHIONIQ,
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
