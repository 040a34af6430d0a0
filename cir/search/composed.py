"""A query's walk: picture and sentence to vector to hits."""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from PIL.Image import Image

from cir.encoders.protocol import Embeddings, Encoder, require_same_encoder
from cir.encoders.texts import is_shortened, shortened
from cir.errors import UsageError
from cir.search.folding import check, is_plain, shown
from cir.search.options import USUAL, SearchOptions
from cir.store import Hit, MilvusIndex

Mode = Literal["composed", "image", "text", "sum"]
MODES: tuple[Mode, ...] = get_args(Mode)

Timed = Callable[[str], AbstractContextManager[None]]
"""Gives a context that covers a stage, "encoding" or "search"."""


@dataclass(frozen=True)
class Query:
    """What a person asks: a reference image, an instruction, or both.

    Attributes:
        image: RGB, as `cir.images` opens it.
        instruction: any text; "" or white space for none.
        content_hash: of the reference's file. Where given, images of the same content are left out
            of the results.
        rewordings: the instruction in other words; the embeddings of all wordings are averaged.
    """

    image: Image | None = None
    instruction: str = ""
    content_hash: str | None = None
    rewordings: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The instruction without surrounding white space; beyond `MAX_CHARACTERS` it is cut."""
        return shortened(self.instruction)


def search(
    index: MilvusIndex,
    encoder: Encoder,
    query: Query,
    options: SearchOptions = USUAL,
    *,
    exclude_ids: Collection[str] = (),
) -> list[Hit]:
    """The images nearest to the query by cosine similarity, best first.

    Args:
        exclude_ids: images to leave out.

    Raises:
        UsageError: the query is empty, a condition is wrong, or the limit is out of range.
        EncoderMismatchError: another encoder made the index.
        StoreError: Milvus failed.
    """
    excluded = set(exclude_ids)
    if query.content_hash is not None:
        excluded.update(index.ids_with_content(query.content_hash))
    return search_batch(index, encoder, [query], options, exclude_ids=[excluded])[0]


def is_cut(encoder: Encoder, query: Query) -> bool:
    """Whether the end of the query's instruction is not read."""
    return bool(query.text) and (
        is_shortened(query.instruction) or encoder.truncates([query.text])[0]
    )


def search_batch(
    index: MilvusIndex,
    encoder: Encoder,
    queries: Sequence[Query],
    options: SearchOptions = USUAL,
    *,
    exclude_ids: Sequence[Collection[str]] | None = None,
    only_ids: Sequence[Collection[str] | None] | None = None,
    mode: Mode = "composed",
    timed: Timed = lambda stage: nullcontext(),
) -> list[list[Hit]]:
    """Like `search` for many queries in one request, without a look at their `content_hash`.

    Args:
        exclude_ids: for each query, ids to leave out.
        only_ids: for each query, the ids among which to search, None for all. A query that is
            searched in both ways stands in `queries` twice, and is encoded once.
        mode: what of each query is used, see `embed`.
        timed: entered around the encoding of the queries, then around their search.
    """
    require_same_encoder(encoder, index.info)
    where = index.conditions(options.where)  # first: what is wrong needs no encoding
    check(index, options)
    with timed("encoding"):
        vectors = embed(encoder, queries, mode)
    with timed("search"):
        if is_plain(options):
            return index.search_vectors(
                vectors, options.limit, where, exclude_ids=exclude_ids, only_ids=only_ids
            )
        return [
            shown(
                index,
                lambda limit, further, at=at: index.search_vectors(
                    vectors[at : at + 1],
                    limit,
                    [*where, *further],
                    exclude_ids=exclude_ids and exclude_ids[at : at + 1],
                    only_ids=only_ids and only_ids[at : at + 1],
                )[0],
                options,
                where,
            )
            for at in range(len(queries))
        ]


def embed(encoder: Encoder, queries: Sequence[Query], mode: Mode = "composed") -> Embeddings:
    """`(n, dim)` float32 unit rows of the queries.

    "composed" fuses image and instruction, and takes the one there is where the other is missing;
    "image" and "text" ignore the other; "sum" is the normalised sum of the two alone. The rows of
    all wordings of a query are averaged. A query that stands there twice is encoded once.

    Raises:
        UsageError: a query lacks what the mode needs.
    """
    distinct = list({id(query): query for query in queries}.values())
    rows = _rows(encoder, distinct, mode)
    reworded = [
        (at, replace(query, instruction=text))
        for at, query in enumerate(distinct if mode != "image" else ())
        for text in query.rewordings
    ]
    if reworded:
        places = [at for at, _ in reworded]
        np.add.at(rows, places, _rows(encoder, [query for _, query in reworded], mode))
        rows[places] = normalised(rows[places])
    place = {id(query): at for at, query in enumerate(distinct)}
    return rows[[place[id(query)] for query in queries]]


def normalised(sums: Embeddings) -> Embeddings:
    """`(n, dim)` float32 unit rows along these sums of rows; a sum of nothing stays 0."""
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    rows: Embeddings = (sums / np.maximum(length, 1e-12)).astype(np.float32)
    return rows


def _rows(encoder: Encoder, queries: Sequence[Query], mode: Mode) -> Embeddings:
    """`(n, dim)` rows of the queries in their first wording."""
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
            return normalised(encoder.encode_images(images) + encoder.encode_texts(texts))
