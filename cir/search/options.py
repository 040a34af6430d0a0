"""What a search can be told beside its query; imports nothing heavy."""

from collections.abc import Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any


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

    Attributes:
        limit: images at most, 1 to 16,384.
        where: conditions on the metadata, such as "baseColour=Red"; all must hold.
        threshold: least score of a hit, a cosine similarity from -1 to 1; None for any.
        group_by: a metadata column: of the images with the same value only the best is a hit, and
            tells how many there are (`Hit.group_size`). Images without a value are one group.
        fold: whether near-duplicates stand under the best of them (`Hit.folded`), exact copies of a
            file included.
        distinct: whether exact copies of a file alone do so.

    `limit` counts hits as they are then, without what stands under them.
    """

    limit: int = _option(10, "Number of results.", panel="Results", low=1, high=16_384, bench=False)
    where: Sequence[str] = _option(
        (),
        'Condition on the metadata, for example "baseColour=Red" or "year>=2011"; repeatable, '
        "all must hold.",
        panel="Results",
        bench=False,
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

    def __post_init__(self) -> None:
        given = (self.where,) if isinstance(self.where, str) else tuple(self.where)
        object.__setattr__(self, "where", given)


def bench_options() -> list[Field[Any]]:
    """The fields of `SearchOptions` that change what is found first: a run is told and keeps them.

    The others choose among what is found (`limit`, `where`), which is the labelled set's business.
    """
    return [each for each in fields(SearchOptions) if each.metadata.get("bench", True)]


USUAL = SearchOptions()
"""The options where nobody says any."""
