"""What a search can be told beside its query; imports nothing heavy."""

import math
import re
from collections.abc import Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any

from cir.errors import UsageError

Box = tuple[float, float, float, float]
"""Left, top, right and bottom of a part of a picture, as shares of its sides."""

PRODUCT = "product"
COMPOSITIONS = ("", "sum", PRODUCT)
"""Those without a number; `weighted:W` is the fourth."""
TURNS = (0, 90, 180, 270)
MAX_WEIGHT = 10.0

_WEIGHTED = re.compile(r"(?P<what>.+?)\s*\*\s*(?P<weight>-?[\d.]+)\s*", re.DOTALL)


def _option(
    default: Any,
    text: str,
    *,
    panel: str,
    low: float | None = None,
    high: float | None = None,
    **facts: Any,
) -> Any:
    """A field with what the faces need: a help text, where it stands in a list of options, its
    bounds, whether the bench offers it."""
    told = {"help": text, "panel": panel, "low": low, "high": high, **facts}
    return field(default=default, metadata=told)


@dataclass(frozen=True)
class SearchOptions:
    """Options of a search; the command lines and the bench make theirs of these fields.

    Where one is out of range, making this raises UsageError.

    Attributes:
        limit: images at most, 1 to 16,384.
        where: conditions on the metadata, such as "baseColour in Red, Blue"; all must hold. See
            `cir.store.filters.Condition`.
        balance: how much the reference counts against the instruction, 0 to 1: 0 is the instruction
            alone, 0.5 the encoder's own composition, 1 the reference alone.
        composition: how reference and instruction are put together: "" is the encoder's own way,
            "sum" the normalised sum of their rows, "weighted:W" the same with W of the reference
            and 1 - W of the instruction, W from 0 to 1; "product" ranks by the product of the two
            similarities, see `cir.search.product`, and a hit's score is that product.
        less: texts to steer away from, each with its weight after a star: "red*0.5". The weight is
            1 where none is written, above 0, at most 10.
        less_image: pictures to steer away from, written likewise: the id of an image of the index
            (32 hex digits, always taken for one), or a file. Images named by id are no results.
        crop: the part of the first reference that counts, "left,top,right,bottom" as shares of its
            width and height from 0 to 1, after it is turned; "" for all of it.
        turn: by how many degrees the first reference is turned clockwise: 0, 90, 180 or 270.
        words: whether images count, too, whose metadata hold words of the instruction. Then
            `cir.store.fulltext.joined` ranks the hits, and their scores need not fall.
        threshold: least score of a hit, a cosine similarity from -1 to 1; None for any.
        group_by: a metadata column: of the images with the same value only the best is a hit, and
            tells how many there are (`Hit.group_size`). Images without a value are one group.
        fold: whether near-duplicates stand under the best of them (`Hit.folded`), exact copies of a
            file included.
        distinct: whether exact copies of a file alone do so.
        rerank: a second stage that orders the first hits anew, such as "words"; "" for none. See
            `cir.rerank.registry.family_of`. Their scores stay the cosines, and need not fall then.
        rerank_columns: the metadata columns that it reads, separated by commas; "" for the one that
            holds the titles.
        rerank_weight: what it adds to a cosine at most, 0 to 1; 0 leaves the order as it is.
        rerank_depth: how many of the first hits it sees, 1 to 500.

    `limit` counts hits as they are then, without what stands under them.
    """

    limit: int = _option(10, "Number of results.", panel="Results", low=1, high=16_384, bench=False)
    where: Sequence[str] = _option(
        (),
        'Condition on the metadata, for example "year>=2011", "baseColour in Red, Navy Blue" or '
        '"name~shirt" (contains); repeatable, all must hold.',
        panel="Results",
        bench=False,
    )
    balance: float = _option(
        0.5,
        "How much the reference counts against the instruction: 0 is the instruction alone, 0.5 "
        "the encoder's own composition, 1 the reference alone.",
        panel="Query",
        low=0,
        high=1,
    )
    composition: str = _option(
        "",
        "How reference and instruction are put together, instead of the encoder's own way: sum, "
        "weighted:W with W of the reference (0 to 1), or product (of both similarities).",
        panel="Query",
    )
    less: Sequence[str] = _option(
        (), 'Text to steer away from, with a weight "red*0.5"; repeatable.', panel="Query"
    )
    less_image: Sequence[str] = _option(
        (),
        "Picture to steer away from, a file or the id of an image of the index, with a weight "
        '"FILE*0.5"; repeatable.',
        panel="Query",
    )
    crop: str = _option(
        "",
        'Part of the reference that counts, "left,top,right,bottom" as shares of its sides from '
        '0 to 1: "0,0,1,0.5" is the upper half.',
        panel="Query",
    )
    turn: int = _option(
        0,
        "Degrees by which the reference is turned clockwise first: 0, 90, 180 or 270.",
        panel="Query",
    )
    words: bool = _option(
        False,
        "Also match the words of the instruction with those in the metadata.",
        panel="Query",
    )
    threshold: float | None = _option(
        None,
        "Least score of a result, the cosine similarity, -1 to 1.",
        panel="Results",
        low=-1,
        high=1,
        bench=False,
    )
    group_by: str = _option(
        "",
        "Metadata column of which each value gives one result, its best image; with how many there "
        "are.",
        panel="Results",
        bench=False,
    )
    fold: bool = _option(
        False,
        "Put near-duplicates under the best of them.",
        panel="Results",
        bench=False,
    )
    distinct: bool = _option(
        False,
        "Put exact copies of a file under the first of them.",
        panel="Results",
        bench=False,
    )

    rerank: str = _option(
        "",
        "Second stage that orders the first results anew: words, flag:NAME, st:NAME or "
        "openai:NAME.",
        panel="Second stage",
    )
    rerank_columns: str = _option(
        "",
        "Metadata columns that it reads, separated by commas. Default: the one that holds titles.",
        panel="Second stage",
    )
    rerank_weight: float = _option(
        0.2,
        "What it adds to the score at most; 0 leaves the order as it is.",
        panel="Second stage",
        low=0,
        high=1,
    )
    rerank_depth: int = _option(
        50, "How many of the first results it sees.", panel="Second stage", low=1, high=500
    )

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(each.default, tuple):
                texts = (value,) if isinstance(value, str) else tuple(map(str, value))
                object.__setattr__(self, each.name, texts)
            low, high = each.metadata["low"], each.metadata["high"]
            if low is not None and value is not None and not low <= value <= high:
                raise UsageError(f"The search option {each.name} goes from {low} to {high}.")
        for text in (*self.less, *self.less_image):
            split_weight(text)
        if self.turn not in TURNS:
            raise UsageError(f"A picture is turned by 0, 90, 180 or 270 degrees, not {self.turn}.")
        box_of(self.crop)
        picture_weight(self.composition)
        if self.composition == PRODUCT and self.words:
            raise UsageError(
                "The composition product ranks by two similarities: it does not go with the words "
                "of the metadata."
            )
        if self.rerank and self.words:
            raise UsageError(
                "A second stage adds to the score, and with words results are not ordered by it: "
                "choose one of the two."
            )


def split_weight(text: str) -> tuple[str, float]:
    """What is weighted, and its weight: "red*0.5" is "red" and 0.5, "red" has 1.

    Raises:
        UsageError: the weight is not a number above 0, at most 10.
    """
    match = _WEIGHTED.fullmatch(text)
    if match is None:
        return text, 1.0
    try:
        weight = float(match["weight"])
    except ValueError:
        weight = math.nan
    if not 0 < weight <= MAX_WEIGHT:
        raise UsageError(
            f"The weight in {text!r} must be a number above 0, at most {MAX_WEIGHT:.0f}."
        )
    return match["what"], weight


def picture_weight(composition: str) -> float | None:
    """How much of a weighted sum is the picture's, 0 to 1; None for the encoder's own way.

    Raises:
        UsageError: there is no such composition.
    """
    if not composition:
        return None
    name, colon, weight = composition.partition(":")
    if name in {"sum", PRODUCT} and not colon:
        return 0.5
    try:
        share = float(weight) if name == "weighted" else math.nan
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise UsageError(
            f"There is no composition {composition!r}: say sum, product, or weighted:W with W from "
            "0 (the instruction alone) to 1 (the reference alone)."
        )
    return share


def box_of(crop: str) -> Box | None:
    """The part of a picture that a text "left,top,right,bottom" names; None for all of it.

    Raises:
        UsageError: it does not name one.
    """
    if not crop.strip():
        return None
    try:
        left, top, right, bottom = map(float, crop.split(","))
    except ValueError:
        left = top = right = bottom = math.nan
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise UsageError(
            f"The crop {crop!r} names no part of a picture: write left,top,right,bottom as shares "
            'of its sides from 0 to 1, for example "0,0,1,0.5" for the upper half.'
        )
    return left, top, right, bottom


def bench_options() -> list[Field[Any]]:
    """The fields of `SearchOptions` that change what is found first: a run is told and keeps them.

    The others choose among what is found (`limit`, `where`), which is the labelled set's business.
    """
    return [each for each in fields(SearchOptions) if each.metadata.get("bench", True)]


USUAL = SearchOptions()
"""The options where nobody says any."""
