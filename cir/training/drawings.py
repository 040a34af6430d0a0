"""Drawn designs for training: none whose combination the sample catalogue keeps aside."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from cir.parallel import usable_cores
from cir.sample.designs import COLOURS, Design, catalogue, kept_aside
from cir.sample.drawing import draw

FIRST_ID = 5001  # beyond the catalogue's: other shades, folds and backgrounds than its pictures
_QUALITY = 92
# What the designs call differently from the product table and the features.
_TYPES = {
    "t-shirt": "Tshirts", "shirt": "Shirts", "top": "Tops", "sweater": "Sweaters",
    "sweatshirt": "Sweatshirts", "jacket": "Jackets", "dress": "Dresses", "skirt": "Skirts",
    "trousers": "Trousers", "shorts": "Shorts", "handbag": "Handbags", "tote bag": "Tote Bags",
}  # fmt: skip
_WORDS = {"short": "short sleeve", "long": "long sleeve", "crew": "round neck", "hood": "hooded"}


def training_designs() -> tuple[Design, ...]:
    """Every cut and pattern of the catalogue's garments in every colour, but none kept aside."""
    shapes = sorted(
        {
            (each.garment, each.pattern, each.sleeve, each.neckline, each.length)
            for each in catalogue()
        }
    )
    crossed = (Design(0, garment, colour, *rest) for garment, *rest in shapes for colour in COLOURS)
    free = [design for design in crossed if not kept_aside(design)]
    return tuple(
        Design(number, *list(asdict(design).values())[1:])
        for number, design in enumerate(free, start=FIRST_ID)
    )


def drawn_frame(folder: Path, designs: Sequence[Design] | None = None) -> pd.DataFrame:
    """Rows of the designs as `products.read_products` takes them; pictures drawn where absent."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = training_designs() if designs is None else designs
    absent = [design for design in chosen if not (folder / design.file).is_file()]
    with ProcessPoolExecutor(usable_cores()) as pool:
        done = pool.map(_save, absent, [folder] * len(absent), chunksize=16)
        for _ in tqdm(done, total=len(absent), desc="drawing", unit="picture"):
            pass
    return pd.DataFrame([_row(design, folder) for design in chosen])


def _save(design: Design, folder: Path) -> None:
    partial = folder / f".{design.file}"
    draw(design).save(partial, "JPEG", quality=_QUALITY, subsampling=0)
    partial.replace(folder / design.file)


def _row(design: Design, folder: Path) -> dict[str, str]:
    slots = {name: getattr(design, name) for name in ("pattern", "sleeve", "neckline", "length")}
    return {
        "id": f"drawn-{design.id}",
        "name": "",
        "photo": str(folder / design.file),
        "articleType": _TYPES[design.garment],
        "gender": "",
        "baseColour": design.colour.title(),
        "season": "",
        "usage": "",
    } | {name: _WORDS.get(value, value) for name, value in slots.items()}
