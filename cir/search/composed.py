"""A query's walk: picture and sentence to vector to hits."""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from PIL.Image import Image

from cir.encoders.protocol import Embeddings, Encoder, require_same_encoder
from cir.encoders.remembered import RememberingEncoder
from cir.encoders.texts import is_shortened, shortened
from cir.encoders.unit import normalised
from cir.errors import UsageError
from cir.images import open_image, part_of
from cir.rerank.fusing import OnRerank, SecondStage
from cir.search.folding import Ask, check, is_plain, shown
from cir.search.options import (
    PRODUCT,
    USUAL,
    SearchOptions,
    box_of,
    picture_weight,
    split_weight,
)
from cir.search.product import depth_for, multiplied
from cir.search.titles import title_column
from cir.settings import Settings
from cir.store import Hit, MilvusIndex, is_image_id
from cir.store.filters import Condition

Mode = Literal["composed", "image", "text", "sum"]
MODES: tuple[Mode, ...] = get_args(Mode)
SIDES: tuple[Mode, Mode] = ("image", "text")

Timed = Callable[[str], AbstractContextManager[None]]
"""Gives a context that covers a stage, "encoding", "search" or "reranking"."""


def _not_told(_outcome: object) -> None:
    """Nobody listens to what the second stage does."""


@dataclass(frozen=True)
class More:
    """A further reference image of a query.

    Attributes:
        image: RGB, as `cir.images` opens it.
        content_hash: of its file, as for the first.
        weight: how much it counts beside the others, above 0.
    """

    image: Image
    content_hash: str | None = None
    weight: float = 1.0


@dataclass(frozen=True)
class Query:
    """What a person asks: reference images, an instruction, or both.

    Attributes:
        image: RGB, as `cir.images` opens it; the first reference.
        instruction: any text; "" or white space for none.
        content_hash: of the reference's file. Where given, images of the same content are left out
            of the results.
        rewordings: the instruction in other words; the embeddings of all wordings are averaged.
        weight: how much `image` counts beside `more`, above 0.
        more: further references, where there is a first.
    """

    image: Image | None = None
    instruction: str = ""
    content_hash: str | None = None
    rewordings: tuple[str, ...] = ()
    weight: float = 1.0
    more: tuple[More, ...] = ()

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
    settings: Settings | None = None,
    on_rerank: OnRerank = _not_told,
) -> list[Hit]:
    """The images nearest to the query by cosine similarity, best first.

    Args:
        exclude_ids: images to leave out.
        settings: of the second stage; of the process when None.
        on_rerank: hears of what the second stage did, and that it failed.

    Raises:
        UsageError: the query is empty, a condition is wrong, the limit is out of range, or there is
            no such second stage.
        EncoderMismatchError: another encoder made the index.
        StoreError: Milvus failed.
    """
    excluded = {*exclude_ids, *_excluded(index, query, options)}
    return search_batch(
        index,
        encoder,
        [query],
        options,
        exclude_ids=[excluded],
        settings=settings,
        on_rerank=on_rerank,
    )[0]


def search_ways(
    index: MilvusIndex, encoder: Encoder, query: Query, options: SearchOptions = USUAL
) -> dict[Mode, list[Hit]]:
    """What `search` gives for the same query in each of the `MODES` that it has enough for.

    A query without an instruction can only be asked by its image, one without a reference only by
    its text. Errors as in `search`.
    """
    excluded = [_excluded(index, query, options)]
    modes: Sequence[Mode] = MODES
    if query.image is None or not query.text:
        modes = [way_of(query, "composed")]
    return {
        mode: search_batch(index, encoder, [query], options, exclude_ids=excluded, mode=mode)[0]
        for mode in modes
    }


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
    settings: Settings | None = None,
    on_rerank: OnRerank = _not_told,
) -> list[list[Hit]]:
    """Like `search` for many queries in one request, without a look at their `content_hash`.

    Args:
        exclude_ids: for each query, ids to leave out.
        only_ids: for each query, the ids among which to search, None for all. A query that is
            searched in both ways stands in `queries` twice, and is encoded once.
        mode: what of each query is used, see `embed`.
        timed: entered around the encoding of the queries, then around their search, then around
            the second stage where there is one: what a mode ignores it is not asked about either,
            so "image" has none.
    """
    require_same_encoder(encoder, index.info)
    where = index.conditions(options.where)  # first: what is wrong needs no encoding
    check(index, options)
    words: list[str] | None = None
    if options.words and mode != "image":
        index.require_words()
        words = [query.text for query in queries]
    stage = _second_stage(index, options, settings)
    if stage is None or mode == "image":
        stage, wanted = None, options
    else:
        wanted = replace(options, limit=max(options.limit, stage.depth))
    with timed("encoding"):
        rankings = _rankings(encoder, queries, mode, options, index)

    def ask(part: slice, limit: int, further: Sequence[Condition] = ()) -> list[list[Hit]]:
        found = [
            index.search_vectors(
                vectors[part],
                limit if len(rankings) == 1 else depth_for(limit),
                [*where, *further],
                exclude_ids=exclude_ids and exclude_ids[part],
                only_ids=only_ids and only_ids[part],
                words=words and words[part],
            )
            for vectors in rankings
        ]
        if len(found) == 1:
            return found[0]
        rows = [each[part] for each in rankings]
        alone = [way_of(query) != "composed" for query in queries[part]]
        return multiplied(index, rows, found, alone, limit, options.balance)

    def ask_for(at: int) -> Ask:
        return lambda limit, further: ask(slice(at, at + 1), limit, further)[0]

    with timed("search"):
        if is_plain(wanted):
            found = ask(slice(None), wanted.limit)
        else:
            found = [shown(index, ask_for(at), wanted, where) for at in range(len(queries))]
    if stage is None:
        return found
    with timed("reranking"):
        return [
            stage.ordered(hits, query.text, _reference(query, mode, options), on_rerank)[
                : options.limit
            ]
            for query, hits in zip(queries, found, strict=True)
        ]


def embed(
    encoder: Encoder,
    queries: Sequence[Query],
    mode: Mode = "composed",
    options: SearchOptions = USUAL,
    index: MilvusIndex | None = None,
) -> Embeddings:
    """`(n, dim)` float32 unit rows of the queries.

    "composed" fuses image and instruction, and takes the one there is where the other is missing;
    "image" and "text" ignore the other; "sum" is the normalised sum of the two alone. A query of
    several references or wordings has the normalised sum of the rows of each reference with each
    wording, times the reference's weight. A query that stands there twice is encoded once, and the
    rows of a query that comes alone are kept: asked again with other options, it is not encoded.

    The options that make the row, in this order:

    - `turn` and `crop` change the first reference before it is encoded.
    - `composition` stands in the place of the encoder's own way, in the mode "composed", for
      queries that have both: "sum" is the mode "sum", "weighted:W" normalised(W i + (1 - W) t).
      "product" is no row but two rankings, see `cir.search.product`: here it is "sum".
    - `balance` b moves a composed row c towards the row of one side, t of the text or i of the
      image: normalised(2b c + (1 - 2b) t) below 0.5, normalised((2 - 2b) c + (2b - 1) i) above. It
      is for queries that have both, in the mode "composed".
    - `less` and `less_image` turn the row q away from the unit rows n_k of these texts and
      pictures, w_k their weights, in every mode: normalised(q - sum_k w_k / 2 (n_k - (q . n_k) q)).
      Only what of n_k is at right angles to q is taken away, so that a picture much like the query
      does not cancel it.

    Args:
        index: where the pictures of `less_image` are that are named by their ids: their stored
            embeddings are used.

    Raises:
        UsageError: a query lacks what the mode needs, or the index an image of `less_image`.
        ImageError: a file of `less_image` cannot be read.
    """
    distinct = list({id(query): query for query in queries}.values())
    asked = [_seen(query, options) for query in distinct]
    if len(asked) == 1 and not asked[0].rewordings:  # a person's, who goes on changing it
        encoder = RememberingEncoder(encoder)
    rows = _composed(encoder, asked, options) if mode == "composed" else _rows(encoder, asked, mode)
    if mode == "composed" and options.balance != 0.5:
        rows = _balanced(encoder, asked, rows, options.balance)
    if options.less or options.less_image:
        rows = _steered(rows, *_unwanted(encoder, options, index))
    place = {id(query): at for at, query in enumerate(distinct)}
    return rows[[place[id(query)] for query in queries]]


def similarities(
    index: MilvusIndex,
    encoder: Encoder,
    query: Query,
    options: SearchOptions = USUAL,
    ids: Sequence[str] = (),
) -> dict[Literal["image", "text"], dict[str, float]]:
    """Cosine similarities of images of the index with the two sides of a query: why they are found.

    The sides are the query's references alone, as `turn` and `crop` show them, and its text alone;
    neither is balanced or steered. A side that the query lacks has no similarities, and neither has
    an id that the index lacks.

    Raises:
        EncoderMismatchError: another encoder made the index.
        StoreError: Milvus failed.
    """
    require_same_encoder(encoder, index.info)
    found = index.rows(ids)
    seen = SearchOptions(crop=options.crop, turn=options.turn)
    there = {"image": query.image is not None, "text": bool(query.text)}
    told: dict[Literal["image", "text"], dict[str, float]] = {"image": {}, "text": {}}
    for side, similar in told.items():
        if there[side]:
            row = embed(encoder, [query], side, seen)[0]
            similar |= {each.record.id: float(each.vector @ row) for each in found}
    return told


def as_seen(image: Image, options: SearchOptions) -> Image:
    """A query's first reference as it is encoded: turned, and cropped."""
    return part_of(image, options.turn, box_of(options.crop))


def _seen(query: Query, options: SearchOptions) -> Query:
    if query.image is None or not (options.turn or options.crop):
        return query
    return replace(query, image=as_seen(query.image, options))


def _rows(encoder: Encoder, queries: Sequence[Query], mode: Mode) -> Embeddings:
    """`(n, dim)` unit rows of the queries, of all their references and wordings."""
    rows = _first_rows(encoder, queries, mode)
    others = [
        (at, other, weight)
        for at, query in enumerate(queries)
        for other, weight in _others(query, mode)
    ]
    if others:
        places = [at for at, _, _ in others]
        for at in set(places):
            rows[at] *= _weight(queries[at])
        weights = np.array([[weight] for _, _, weight in others], np.float32)
        added: Embeddings = weights * _first_rows(encoder, [query for _, query, _ in others], mode)
        np.add.at(rows, places, added)
        rows[places] = normalised(rows[places])
    return rows


def _others(query: Query, mode: Mode) -> list[tuple[Query, float]]:
    """A query's further references and wordings, each as a query of one with its weight."""
    references = [(query.image, _weight(query))]
    wordings = [query.instruction]
    if mode != "text":
        references += [(each.image, each.weight) for each in query.more]
    if mode != "image":
        wordings += query.rewordings
    pairs = [
        (replace(query, image=image, instruction=text), weight)
        for image, weight in references
        for text in wordings
    ]
    return pairs[1:]


def _weight(query: Query) -> float:
    """Of the first reference: it counts beside others alone."""
    return query.weight if query.more else 1.0


def _composed(encoder: Encoder, queries: Sequence[Query], options: SearchOptions) -> Embeddings:
    """`(n, dim)` unit rows of the queries as `composition` says, see `embed`."""
    weight = picture_weight(options.composition)
    if weight is None or weight == 0.5:
        return _rows(encoder, queries, "composed" if weight is None else "sum")
    rows = np.zeros((len(queries), encoder.spec.dim), np.float32)
    both = [at for at, query in enumerate(queries) if way_of(query) == "composed"]
    alone = sorted(set(range(len(queries))) - set(both))
    if alone:
        rows[alone] = _rows(encoder, [queries[at] for at in alone], "composed")
    if both:
        asked = [queries[at] for at in both]
        seen, read = (_rows(encoder, asked, side) for side in SIDES)
        rows[both] = normalised(weight * seen + (1 - weight) * read)
    return rows


def _rankings(
    encoder: Encoder,
    queries: Sequence[Query],
    mode: Mode,
    options: SearchOptions,
    index: MilvusIndex,
) -> list[Embeddings]:
    """`(n, dim)` unit rows of the queries; for a product two arrays, of pictures and of texts.

    A query that lacks one of them has the row of the other in both arrays.
    """
    if mode != "composed" or options.composition != PRODUCT:
        return [embed(encoder, queries, mode, options, index)]
    ways = [way_of(query) for query in queries]
    return [
        _side_rows(
            encoder, queries, [side if way == "composed" else way for way in ways], options, index
        )
        for side in SIDES
    ]


def _side_rows(
    encoder: Encoder,
    queries: Sequence[Query],
    ways: Sequence[Mode],
    options: SearchOptions,
    index: MilvusIndex,
) -> Embeddings:
    """`(n, dim)` unit rows of the queries, each asked in its way."""
    rows = np.zeros((len(queries), encoder.spec.dim), np.float32)
    for way in SIDES:
        members = [at for at, each in enumerate(ways) if each == way]
        if members:
            rows[members] = embed(encoder, [queries[at] for at in members], way, options, index)
    return rows


def _balanced(
    encoder: Encoder, queries: Sequence[Query], rows: Embeddings, balance: float
) -> Embeddings:
    """Composed rows moved towards one side, see `embed`."""
    side: Mode = "text" if balance < 0.5 else "image"
    share = abs(1 - 2 * balance)
    both = [at for at, query in enumerate(queries) if query.image is not None and query.text]
    if both:
        alone = _rows(encoder, [queries[at] for at in both], side)
        rows[both] = normalised((1 - share) * rows[both] + share * alone)
    return rows


def _steered(rows: Embeddings, unwanted: Embeddings, weights: Embeddings) -> Embeddings:
    """`(n, dim)` rows turned away from the `(m, dim)` unwanted, see `embed`."""
    push = weights / 2
    along = rows @ unwanted.T @ push
    return normalised(rows - push @ unwanted + along[:, None] * rows)


def _unwanted(
    encoder: Encoder, options: SearchOptions, index: MilvusIndex | None
) -> tuple[Embeddings, Embeddings]:
    """Unit rows `(m, dim)` of what to steer away from, and their weights `(m,)`."""
    encoder = RememberingEncoder(encoder)  # a labelled set steers many batches away from the same
    texts = [split_weight(text) for text in options.less]
    pictures = [split_weight(picture) for picture in options.less_image]
    files = [each for each in pictures if not is_image_id(each[0])]
    stored = [each for each in pictures if is_image_id(each[0])]
    rows = [
        encoder.encode_texts([text for text, _ in texts]),
        encoder.encode_images([open_image(file) for file, _ in files]),
    ]
    if stored:
        if index is None:
            raise UsageError("The id of a picture to steer away from needs an index.")
        rows.append(index.vectors([key for key, _ in stored]))
    weights = [weight for _, weight in (*texts, *files, *stored)]
    return np.concatenate(rows), np.array(weights, np.float32)


def _second_stage(
    index: MilvusIndex, options: SearchOptions, settings: Settings | None
) -> SecondStage | None:
    """How the first hits are ordered anew; None where they stay as they are."""
    if not options.rerank:
        return None
    columns = [name.strip() for name in options.rerank_columns.split(",") if name.strip()]
    title = "" if columns else title_column(index)
    stage = SecondStage(
        index,
        options.rerank,
        columns or ([title] if title else []),
        options.rerank_weight,
        options.rerank_depth,
        settings,
    )
    return stage if options.rerank_weight else None


def _reference(query: Query, mode: Mode, options: SearchOptions) -> Image | None:
    """The reference that a second stage may see."""
    return None if query.image is None or mode == "text" else as_seen(query.image, options)


def _excluded(index: MilvusIndex, query: Query, options: SearchOptions) -> set[str]:
    """Ids of the images that a query is asked with: they are no results."""
    excluded = set(_ids_to_avoid(options))
    for content in (query.content_hash, *(each.content_hash for each in query.more)):
        if content is not None:
            excluded.update(index.ids_with_content(content))
    return excluded


def _ids_to_avoid(options: SearchOptions) -> list[str]:
    """The images of the index that are steered away from: they are no results."""
    names = [split_weight(picture)[0] for picture in options.less_image]
    return [name for name in names if is_image_id(name)]


def _first_rows(encoder: Encoder, queries: Sequence[Query], mode: Mode) -> Embeddings:
    """`(n, dim)` rows of the queries with their first reference, in their first wording."""
    rows = np.zeros((len(queries), encoder.spec.dim), dtype=np.float32)
    ways = [way_of(query, mode) for query in queries]
    for way in MODES:
        members = [at for at, each in enumerate(ways) if each == way]
        if members:
            rows[members] = _encode(encoder, [queries[at] for at in members], way)
    return rows


def way_of(query: Query, mode: Mode = "composed") -> Mode:
    """How the query can be encoded in this mode, by what it has.

    Raises:
        UsageError: it lacks what the mode needs.
    """
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
