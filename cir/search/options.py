"""What a search can be told beside its query; imports nothing heavy."""

from collections.abc import Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any


def _option(
    default: Any, text: str, *, low: float | None = None, high: float | None = None, **facts: Any
) -> Any:
    """A field with what the faces need: a help text, its bounds, whether the bench offers it."""
    return field(default=default, metadata={"help": text, "low": low, "high": high, **facts})


@dataclass(frozen=True)
class SearchOptions:
    """Options of a search; the command lines and the bench make theirs of these fields.

    Attributes:
        limit: images at most, 1 to 16,384.
        where: conditions on the metadata, such as "baseColour=Red"; all must hold.
        words: whether images count, too, whose metadata hold words of the instruction.
    """

    limit: int = _option(10, "Number of results.", low=1, high=16_384, bench=False)
    where: Sequence[str] = _option(
        (),
        'Condition on the metadata, for example "baseColour=Red" or "year>=2011"; repeatable, '
        "all must hold.",
        bench=False,
    )
    words: bool = _option(
        False,
        "Also match the words of the instruction with those in the metadata.",
        panel="Query",
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
