"""Query and options to hits; reference images; what an index offers to filter by."""

from typing import TYPE_CHECKING

from cir.late import late_names
from cir.search.options import USUAL, SearchOptions, bench_options

if TYPE_CHECKING:
    from cir.search.composed import (
        MODES,
        Mode,
        More,
        Query,
        as_seen,
        embed,
        is_cut,
        search,
        search_batch,
        search_ways,
        similarities,
    )
    from cir.search.usual import is_nothing_close, usual_score, usual_scores

__all__ = [
    "MODES",
    "USUAL",
    "Mode",
    "More",
    "Query",
    "SearchOptions",
    "as_seen",
    "bench_options",
    "embed",
    "is_cut",
    "is_nothing_close",
    "search",
    "search_batch",
    "search_ways",
    "similarities",
    "usual_score",
    "usual_scores",
]

_USUAL = ("is_nothing_close", "usual_score", "usual_scores")

__getattr__ = late_names(
    __name__,
    {
        name: "cir.search.usual" if name in _USUAL else "cir.search.composed"
        for name in __all__
        if name not in globals()
    },
)
