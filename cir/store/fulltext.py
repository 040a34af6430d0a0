"""Words in the metadata: what of an image is matched by words, and how that joins the vector."""

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from cir.store.records import Hit, IndexInfo, Metadata

FIELD = "words"
"""The field of an image's words; Milvus makes its BM25 vector, `VECTOR_FIELD`, of it."""
VECTOR_FIELD = "words_vector"
MAX_BYTES = 65_535
ANALYZER: Mapping[str, Any] = {
    "tokenizer": "standard",
    "filter": [
        "lowercase",
        "asciifolding",
        {"type": "stop", "stop_words": ["_english_"]},
        {"type": "stemmer", "language": "english"},
    ],
}
"""Letter case, accents and English endings do not matter: "shoes" finds "Shoe"; "the" and its like
find nothing."""
BM25 = {"bm25_k1": 1.2, "bm25_b": 0.0}
"""The usual saturation, and a long text counts as much as a short one: so images that hold the same
words are equal, and the vector decides between them. As measured, that beats the usual b of 0.75:
see docs/evaluation.md."""
RRF_K = 60
POOLS = (200, 2_000, 16_384)
"""How many of the best of either ranking are joined: the least of these that is no less than the
number of results, so that more results of one query begin with those that were there."""

SAME_SCORE = 1e-4
"""How far BM25 scores may lie apart that are the same; float sums differ with their order."""

AVAILABLE = "available"
_ODD = re.compile("[\0-\x1f\x7f\ud800-\udfff]")


def words_of(metadata: Metadata) -> str:
    """The texts of an image's metadata, a line each, as they go into the field of its words."""
    return plain("\n".join(value for value in metadata.values() if isinstance(value, str)))


def has_texts(info: IndexInfo) -> bool:
    """Whether an index has metadata columns that hold texts."""
    return "string" in info.columns.values()


def words_state(info: IndexInfo, *, has_field: bool) -> str:
    """`AVAILABLE`, or a sentence: why an index cannot be asked by words, and what helps.

    `has_field`: whether its rows have a field for their words.
    """
    if not has_texts(info):
        return (
            f'The index "{info.name}" has no words: none of its metadata columns holds texts. '
            "Update it with a table of metadata that has some."
        )
    if has_field:
        return AVAILABLE
    if info.words is False:
        return (
            "This Milvus cannot search for words: Milvus Lite 2.5.1 and servers from 2.5 on can. "
            f'Use one of them, then rebuild the index "{info.name}".'
        )
    return (
        f'The index "{info.name}" was made without its words. Rebuild it: that takes seconds to '
        "minutes, and encodes nothing."
    )


def pool_for(limit: int) -> int:
    """How many of the best of each ranking are joined for so many results."""
    return next(pool for pool in POOLS if pool >= limit)


def joined(near: Sequence[Hit], far: Sequence[Hit], matches: Mapping[str, float]) -> list[Hit]:
    """Two rankings as one, by reciprocal rank fusion.

    An image's score is the sum of 1 / (60 + rank) over the rankings that hold it (Cormack, Clarke
    and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
    Methods", SIGIR 2009). Images of equal BM25 score share the best rank of them, and those of
    equal joint score stand by cosine similarity, then by path.

    Args:
        near: the ranking by vector, best first.
        far: other images, with their cosine similarity.
        matches: BM25 scores by id; images that match no word are absent.

    Returns:
        All the hits, best first; `score` stays the cosine similarity.
    """
    scores = {hit.id: 1 / (RRF_K + rank) for rank, hit in enumerate(near, start=1)}
    best, before = 0, math.inf
    by_match = sorted(matches.items(), key=lambda item: -item[1])
    for rank, (id_, score) in enumerate(by_match, start=1):
        best = rank if score < before - SAME_SCORE else best
        before = score
        scores[id_] = scores.get(id_, 0.0) + 1 / (RRF_K + best)

    def order(hit: Hit) -> tuple[float, float, str]:
        return -scores.get(hit.id, 0.0), -hit.score, hit.path

    return sorted([*near, *far], key=order)


def plain(text: str) -> str:
    """A text in one Unicode form, without what a backend refuses, at most `MAX_BYTES`."""
    tidy = unicodedata.normalize("NFKC", _ODD.sub(" ", text)).encode()
    return tidy[:MAX_BYTES].decode(errors="ignore")
