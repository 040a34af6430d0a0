"""How exact searches are: the index type by backend and size, and recall against exact search."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cir.store.collection import ImageCollection
from cir.store.records import Hit, IndexInfo, IndexType, Recall

EXACT_IMAGES = 100_000
"""Up to here a Milvus server compares with every image quickly enough, while its AUTOINDEX, as
measured (Milvus 2.3.5, 17,000 random vectors), found half of the ten nearest and lost hits under a
filter."""
LITE_AUTO_IMAGES = 80_000
"""Up to here Milvus Lite 2.5.1 compares with every image under AUTOINDEX, too. From somewhere below
100,000 on it looks at a part of them, and misses some of the nearest."""
AT = 20
SAMPLE = 50
_GROWTH = 1.25
_SAME_SCORE = 1e-5  # how far cosines of two ways of computing them may lie apart


def index_type_for(backend: str, is_small: Callable[[], bool]) -> IndexType:
    """The index type for images on a backend, by its name.

    Milvus Lite always compares with every image (FLAT), which stays quick as far as one file is of
    use. A Milvus server does so while `is_small()`: up to `EXACT_IMAGES`. Zilliz Cloud offers
    AUTOINDEX alone.
    """
    if backend == "Milvus Lite":
        return "FLAT"
    if backend == "Zilliz Cloud":
        return "AUTOINDEX"
    return "FLAT" if is_small() else "AUTOINDEX"


def is_behind(info: IndexInfo, backend: str, images: int) -> bool:
    """Whether searches miss images that they would find if the index were made anew now.

    Never true of an index that is exact: one that outgrew its bound on a server stays as it is.
    True on a server only of an index whose recall was measured.
    """
    if info.exact or index_type_for(backend, lambda: images <= EXACT_IMAGES) != "FLAT":
        return False
    if backend == "Milvus Lite":
        return images > LITE_AUTO_IMAGES
    return info.recall is not None and info.recall.worst < 1


def is_measured(info: IndexInfo, images: int) -> bool:
    """Whether recall is known, of about as many images: at most a quarter more or fewer."""
    if info.exact:
        return True
    then = info.recall.images if info.recall else 0
    return then > 0 and then / _GROWTH <= images <= then * _GROWTH


def exactness(info: IndexInfo, backend: str, images: int) -> str:
    """How exact an index's searches are, for people: "exact", "misses images", or recall."""
    if is_behind(info, backend, images):
        return "misses images"
    if info.exact or backend == "Milvus Lite":
        return "exact"
    if info.recall is None:
        return "recall not measured"
    return f"recall@{info.recall.at} {info.recall.mean:.2f}, at worst {info.recall.worst:.2f}"


def measure_recall(
    images: ImageCollection,
    dim: int,
    search: Callable[[NDArray[np.float32], int], Sequence[Sequence[Hit]]],
) -> Recall | None:
    """Recall@20 of searches for 50 images of the index against exact search; None of fewer than 2.

    The images are those whose ids come first: ids are digests, so this is a random draw. The image
    itself counts neither among the found nor among the nearest; of images that are equally near,
    any counts. Exact is the cosine with every embedding, read in pages of a megabyte.

    Args:
        images: the index's rows.
        dim: length of an embedding.
        search: gives the hits of `(n, dim)` queries with a limit.
    """
    total = images.count()
    nearest = min(AT, total - 1)
    if nearest < 1:
        return None
    keys: list[str] = []
    drawn = np.empty((0, dim), np.float32)
    for ids, vectors in images.vector_pages(dim, total):
        keys += ids
        drawn = np.concatenate([drawn, vectors])
        if len(keys) >= SAMPLE:
            break
    keys, queries = keys[:SAMPLE], _unit(drawn[:SAMPLE])
    own = {key: at for at, key in enumerate(keys)}
    best = np.full((len(keys), nearest), -np.inf, np.float32)
    for ids, vectors in images.vector_pages(dim, total):
        scores = queries @ _unit(vectors).T
        for column, id_ in enumerate(ids):
            if id_ in own:
                scores[own[id_], column] = -np.inf
        best = np.partition(np.concatenate([best, scores], axis=1), -nearest, axis=1)[:, -nearest:]
    bounds = best.min(axis=1) - _SAME_SCORE
    shares = []
    for key, bound, hits in zip(keys, bounds, search(queries, nearest + 1), strict=True):
        others = [hit for hit in hits if hit.id != key][:nearest]
        shares.append(sum(hit.score >= bound for hit in others) / nearest)
    return Recall(AT, float(np.mean(shares)), min(shares), len(keys), total)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float32] = rows / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit
