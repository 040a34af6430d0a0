"""Ids and paths in TREC files, whose fields white space parts: runs' rankings, exported qrels."""

import re
from urllib.parse import quote, unquote

_ENCODED = re.compile(r"[\s%\x00-\x1f\udc80-\udcff]")


def trec_id(text: str) -> str:
    """An id or a path as a TREC file holds it: white space and `%` percent-encoded as UTF-8.

    So are bytes of a file name that are not UTF-8 (`os.fsdecode` gives them as U+DC80 to U+DCFF).
    """

    def encoded(match: re.Match[str]) -> str:
        return quote(match[0], safe="", errors="surrogateescape")

    return _ENCODED.sub(encoded, text) if _ENCODED.search(text) else text


def plain_id(text: str) -> str:
    """The id or path that `trec_id` made this of."""
    return unquote(text, errors="surrogateescape")
