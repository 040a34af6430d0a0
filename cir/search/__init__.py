"""Query and options to hits; reference images; what an index offers to filter by."""

from typing import TYPE_CHECKING

from cir.late import late_names
from cir.search.options import SearchOptions

if TYPE_CHECKING:
    from cir.search.composed import MODES, Mode, Query, embed, search, search_batch

__all__ = ["MODES", "Mode", "Query", "SearchOptions", "embed", "search", "search_batch"]

__getattr__ = late_names(
    __name__, {name: "cir.search.composed" for name in __all__ if name != "SearchOptions"}
)
