"""The product table: attributes as integer codes, features read from product names."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cir.errors import UsageError

TABLE_ATTRIBUTES = ("articleType", "gender", "baseColour", "season", "usage")
SLOTS = ("pattern", "sleeve", "neckline", "length")  # known of drawn designs, -1 for photos
ATTRIBUTES = (*TABLE_ATTRIBUTES, *SLOTS)
REQUIRED = ("id", "name", *TABLE_ATTRIBUTES)

# A feature is a word of the product name. What a name leaves out may still be in the picture, so an
# absent feature is never taken as proof that the product lacks it.
FEATURES: Mapping[str, str] = {
    "striped": r"\bstrip",
    "checked": r"\bcheck|\bplaid",
    "printed": r"\bprint|\bgraphic",
    "solid": r"\bsolid\b|\bplain\b",
    "polo": r"\bpolo\b",
    "leather": r"\bleather",
    "denim": r"\bdenim|\bjeans?\b",
    "hooded": r"\bhood",
    "floral": r"\bflor|\bflower",
    "polka dot": r"\bpolka|\bdots?\b",
    "embroidered": r"\bembro",
    "slim fit": r"\bslim\b",
    "washed": r"\bwash",
    "knitted": r"\bknit",
    "canvas": r"\bcanvas\b",
    "with a logo": r"\blogo\b",
    "sleeveless": r"\bsleeveless\b",
    "short sleeve": r"\bhalf sleeve|\bshort sleeve",
    "long sleeve": r"\bfull sleeve|\blong sleeve",
    "round neck": r"\bround neck|\bcrew\b|\brn\b",
    "v-neck": r"\bv[- ]?neck",
    "turtleneck": r"\bturtle",
    "collar": r"\bcollar",
    "boat neck": r"\bboat neck",
    "running": r"\brunning\b",
    "wedge": r"\bwedge",
    "digital": r"\bdigital\b",
    "analogue": r"\banalog",
    "chronograph": r"\bchrono",
    "cotton": r"\bcotton\b",
    "mini": r"\bmini\b",
    "knee-length": r"\bknee",
    "maxi": r"\bmaxi\b",
    "colour-block": r"\bcolou?r ?-?block",
}
# Brands whose names would read as features.
_BRANDS = re.compile(
    r"u\.?s\.? polo assn\.?|classic polo|pepe jeans|wrangler jeans|jealous 21|mini cooper",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Products:
    """Photos with attributes, row by row.

    Attributes:
        ids: photo names without ending. photos: their files.
        names: product names; "" for drawn designs.
        codes: attribute -> `(n,)` codes into `values[attribute]`; -1 where the table has none.
        values: attribute -> its values, as the table writes them.
        features: `(n, len(FEATURES))` booleans.
        drawn: `(n,)` whether the row is a drawn design.
    """

    ids: Sequence[str]
    photos: Sequence[Path]
    names: Sequence[str]
    codes: Mapping[str, NDArray[np.int64]]
    values: Mapping[str, Sequence[str]]
    features: NDArray[np.bool_]
    drawn: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)


def read_products(photos: Path, table: Path, drawn: pd.DataFrame | None = None) -> Products:
    """Products of the table that have a photo `<id>.<ending>` in the folder, by id.

    Args:
        drawn: rows of `drawings.drawn_frame`, put after the photos.

    Raises:
        UsageError: folder or table missing, a column missing, or no row with a photo.
    """
    if not photos.is_dir():
        raise UsageError(f"{photos} is not a folder of photos.")
    if not table.is_file():
        raise UsageError(f"There is no product table {table}.")
    frame = pd.read_csv(table, dtype=str, keep_default_na=False)
    missing = [column for column in REQUIRED if column not in frame.columns]
    if missing:
        raise UsageError(f"{table} lacks the columns {', '.join(missing)}.")
    files = {path.stem: path for path in sorted(photos.iterdir()) if path.is_file()}
    frame = frame[frame["id"].isin(list(files))].sort_values("id").reset_index(drop=True)
    if frame.empty:
        raise UsageError(f"No row of {table} has a photo in {photos}.")
    frame = frame[list(REQUIRED)].assign(photo=[str(files[key]) for key in frame["id"]])
    features = name_features(frame["name"].tolist())
    count = len(frame)
    if drawn is not None:
        frame = pd.concat([frame, drawn], ignore_index=True)
        features = np.concatenate([features, slot_features(drawn)])
    codes, values = _encode(frame)
    return Products(
        ids=frame["id"].tolist(),
        photos=[Path(photo) for photo in frame["photo"]],
        names=frame["name"].tolist(),
        codes=codes,
        values=values,
        features=features,
        drawn=np.arange(len(frame)) >= count,
    )


def name_features(names: Sequence[str]) -> NDArray[np.bool_]:
    """`(n, len(FEATURES))`: which features each product name states."""
    cleaned = [_BRANDS.sub(" ", name).lower() for name in names]
    patterns = [re.compile(pattern) for pattern in FEATURES.values()]
    return np.array([[bool(p.search(name)) for p in patterns] for name in cleaned], dtype=np.bool_)


def slot_features(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """`(n, len(FEATURES))`: the features that a frame's slots state."""
    stated = frame[list(SLOTS)].to_numpy()
    return np.stack([(stated == feature).any(axis=1) for feature in FEATURES], axis=1)


def _encode(
    frame: pd.DataFrame,
) -> tuple[dict[str, NDArray[np.int64]], dict[str, list[str]]]:
    codes: dict[str, NDArray[np.int64]] = {}
    values: dict[str, list[str]] = {}
    for attribute in ATTRIBUTES:
        if attribute not in frame.columns:
            codes[attribute], values[attribute] = np.full(len(frame), -1, np.int64), []
            continue
        column = frame[attribute].where(~frame[attribute].isin(["", "NA"]))
        numbers, levels = pd.factorize(column, sort=True)
        codes[attribute] = numbers.astype(np.int64)
        values[attribute] = [str(level) for level in levels]
    return codes, values
