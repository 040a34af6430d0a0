"""Annotation files and pictures of the published benchmarks, small ones, as their authors lay
them out."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

COLOURS = ("red", "green", "blue", "yellow", "purple", "orange")

Record = dict[str, Any]


def write_json(path: Path, content: object) -> None:
    """Write one annotation file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def draw_all(folder: Path, names: Iterable[str]) -> Path:
    """Draw a picture for each file name: a colour of its own, the later ones with stripes."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        picture = Image.new("RGB", (48, 48), COLOURS[number % len(COLOURS)])
        if number >= len(COLOURS):
            ImageDraw.Draw(picture).rectangle((0, 12, 47, 12 + number), fill="white")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture.save(folder / name)
    return folder


DRESSES = [f"B00{n}" for n in range(8)]


def fashioniq_records() -> list[Record]:
    """Three pairs; one caption of the second is empty."""
    return [
        {"target": "B002", "candidate": "B000", "captions": ["is blue.", " shorter?"]},
        {"target": "B001", "candidate": "B003", "captions": ["", "is green"]},
        {"target": "B004", "candidate": "B000", "captions": ["is purple", "is plain"]},
    ]


def write_fashioniq(root: Path, records: object = None, gallery: object = None) -> Path:
    """`captions/` and `image_splits/` of dresses, whose split holds two images more than pairs."""
    write_json(
        root / "captions" / "cap.dress.val.json",
        fashioniq_records() if records is None else records,
    )
    write_json(
        root / "image_splits" / "split.dress.val.json", DRESSES if gallery is None else gallery
    )
    return root


CIRR_IMAGES = [f"dev-{n}-0-img0" for n in range(9)]


def cirr_records(*, judged: bool = True) -> list[Record]:
    """Two queries over the first and the last six images."""
    return [
        {
            "pairid": 100 + number,
            "reference": CIRR_IMAGES[first],
            **({"target_hard": CIRR_IMAGES[first + 2]} if judged else {}),
            "target_soft": {},
            "caption": "make it another colour",
            "img_set": {"id": number, "members": CIRR_IMAGES[first : first + 6]},
        }
        for number, first in enumerate((0, 3))
    ]


def write_cirr(root: Path, records: object = None, split: str = "val") -> Path:
    """`captions/` and `image_splits/` below `cirr/`, as in the authors' repository."""
    base = root / "cirr"
    write_json(
        base / "captions" / f"cap.rc2.{split}.json", cirr_records() if records is None else records
    )
    files = {name: f"./dev/{name}.png" for name in CIRR_IMAGES}
    write_json(base / "image_splits" / f"split.rc2.{split}.json", files)
    return root


def circo_records(*, judged: bool = True) -> list[Record]:
    """Two queries, the first with two targets."""
    targets: list[Mapping[str, Any]] = [
        {"target_img_id": 12, "gt_img_ids": [12, 13], "semantic_aspects": ["negation", "addition"]},
        {"target_img_id": 14, "gt_img_ids": [14], "semantic_aspects": ["addition"]},
    ]
    return [
        {
            "id": number,
            "reference_img_id": 10 + number,
            "relative_caption": "is blue",
            "shared_concept": "a colour",
            **(targets[number] if judged else {}),
        }
        for number in range(2)
    ]


def write_circo(root: Path, records: object = None, split: str = "val") -> Path:
    """`annotations/<split>.json`."""
    write_json(
        root / "annotations" / f"{split}.json", circo_records() if records is None else records
    )
    return root
