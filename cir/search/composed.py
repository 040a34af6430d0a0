"""A query's walk: picture and sentence to vector to hits."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from PIL.Image import Image

from cir.encoders.protocol import Embeddings, Encoder, require_same_encoder
from cir.errors import UsageError
from cir.store import Hit, Index
from cir.store.filters import expression, parse_where

Mode = Literal["composed", "image", "text", "sum"]
MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(frozen=True)
class Query:
    """What a person asks: a reference image, an instruction, or both.

    Attributes:
        image: RGB, as `cir.images` opens it.
        instruction: any text; "" or white space for none.
        content_hash: of the reference's file. Where given, images of the same content are left out
            of the results.
    """

    image: Image | None = None
    instruction: str = ""
    content_hash: str | None = None

    @property
    def text(self) -> str:
        """The instruction without surrounding white space."""
        return self.instruction.strip()


def search(
    index: Index,
    encoder: Encoder,
    query: Query,
    *,
    limit: int = 20,
    where: Sequence[str] = (),
    exclude_ids: Collection[str] = (),
) -> list[Hit]:
    """The images nearest to the query by cosine similarity, best first.

    Args:
        limit: images at most.
        where: conditions such as "baseColour=Red"; all must hold.
        exclude_ids: images to leave out.

    Raises:
        UsageError: the query is empty, a condition is wrong, or `limit` is out of range.
        EncoderMismatchError: another encoder made the index.
        StoreError: Milvus failed.
    """
    excluded = set(exclude_ids)
    if query.content_hash is not None:
        excluded.update(index.ids_with_content(query.content_hash))
    return search_batch(index, encoder, [query], limit=limit, where=where, exclude_ids=[excluded])[
        0
    ]


def search_batch(
    index: Index,
    encoder: Encoder,
    queries: Sequence[Query],
    *,
    limit: int,
    where: Sequence[str] = (),
    exclude_ids: Sequence[Collection[str]] | None = None,
    only_ids: Sequence[Collection[str]] | None = None,
    mode: Mode = "composed",
) -> list[list[Hit]]:
    """Like `search` for many queries in one request, without a look at their `content_hash`.

    `exclude_ids` and `only_ids` hold one collection of ids a query; `mode` says what of each query
    is used, see `embed`.
    """
    info = index.info
    require_same_encoder(encoder, info)
    conditions = expression([parse_where(text, info.columns) for text in where])
    vectors = embed(encoder, queries, mode)
    return index.search(vectors, limit, conditions, exclude_ids, only_ids)


def embed(encoder: Encoder, queries: Sequence[Query], mode: Mode = "composed") -> Embeddings:
    """`(n, dim)` float32 unit rows of the queries.

    "composed" fuses image and instruction, and takes the one there is where the other is missing;
    "image" and "text" ignore the other; "sum" is the normalised sum of the two alone.

    Raises:
        UsageError: a query lacks what the mode needs.
    """
    rows = np.zeros((len(queries), encoder.spec.dim), dtype=np.float32)
    ways = [_way(query, mode) for query in queries]
    for way in MODES:
        members = [at for at, each in enumerate(ways) if each == way]
        if members:
            rows[members] = _encode(encoder, [queries[at] for at in members], way)
    return rows


def _way(query: Query, mode: Mode) -> Mode:
    """How the query can be encoded in this mode, by what it has."""
    has_image, has_text = query.image is not None, bool(query.text)
    if not has_image and not has_text:
        raise UsageError("The query is empty: give a reference image, an instruction, or both.")
    if mode == "image" and not has_image:
        raise UsageError("This search needs a reference image.")
    if mode == "text" and not has_text:
        raise UsageError("This search needs an instruction.")
    if mode in {"image", "text"} or (has_image and has_text):
        return mode
    return "image" if has_image else "text"


def _encode(encoder: Encoder, queries: Sequence[Query], way: Mode) -> Embeddings:
    images = [query.image for query in queries if query.image is not None]
    texts = [query.text for query in queries]
    match way:
        case "composed":
            return encoder.encode_composed(images, texts)
        case "image":
            return encoder.encode_images(images)
        case "text":
            return encoder.encode_texts(texts)
        case "sum":
            total = encoder.encode_images(images) + encoder.encode_texts(texts)
            length = np.linalg.norm(total, axis=1, keepdims=True)
            rows: Embeddings = (total / np.maximum(length, 1e-12)).astype(np.float32)
            return rows
