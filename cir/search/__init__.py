"""Query and options to hits; reference images; what an index offers to filter by."""

from cir.search.composed import MODES, Mode, Query, embed, search, search_batch

__all__ = ["MODES", "Mode", "Query", "embed", "search", "search_batch"]
