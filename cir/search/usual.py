"""What the best hit of a query usually scores in an index, and whether one's own is far below that.

An out-of-distribution score: the best cosine of a query, held against the best cosines of queries
that the index can answer, which are made of its own images and metadata.
"""

import contextlib
import random
import re
import time
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from cir.encoders.protocol import Embeddings, Encoder
from cir.errors import ImageError, RecomposeError
from cir.images import SUFFIXES, decode
from cir.search.composed import Query, embed, way_of
from cir.search.options import USUAL, SearchOptions
from cir.store import Hit, ImageRecord, IndexInfo, MilvusIndex, UsualScore, UsualScores

SAMPLE = 100
"""Queries that are encoded, of each way."""
IMAGE_SAMPLE = 200
"""Queries by an image of the index, whose embeddings are there."""
LEAST_SAMPLE = 40
"""With fewer, nothing is known of a way."""
LEAST_IMAGES = 50
IMAGE_SHARE, TEXT_SHARE, COMPOSED_SHARE = 0.01, 0.05, 0.05
"""Share of the sampled queries whose best hit scores less than `UsualScore.least`: chosen for about
one false alarm in a hundred by `benchmarks/nothing_close.py`. What is put together of an index's
metadata is asked less well than what people ask, so more of it falls below."""
SECONDS = 20.0
FIRST_SECONDS = 3.0
_GROWTH = 1.25
_BATCH = 4
_COPIES = 5  # hits that may be copies of the query's own image
_MOST_VALUES = 40  # of a column whose values may be asked for as a change
_TOLD, _SENTENCE_TOLD = 2, 3  # values of an image that make a text, a sentence
_SENTENCE_WORDS = 4  # a text of fewer words scores less, and is held against shorter ones
_LONGEST = 200  # characters of a value
_Asked = tuple[ImageRecord | None, Query]
"""A query, and the image that it is made of where that must not be its own answer."""
_WORD = re.compile(r"[^\W\d_]{2,}")
_INSTRUCTIONS = (
    *(
        "in red",
        "in blue",
        "in black",
        "in white",
        "in green",
        "darker",
        "lighter",
        "a smaller one",
    ),
    *("with another pattern", "of another shape"),
)


def learn_usual_scores(
    index: MilvusIndex, encoder: Encoder, *, seconds: float = SECONDS
) -> UsualScores:
    """Sample what queries score in the index, and keep it with the index.

    The queries: images of the index, themselves left out; texts of two or three values of an
    image's metadata; thumbnails with an instruction, a usual one or a value of another image. A
    way of asking is None where there are fewer than `LEAST_SAMPLE` queries: because of few images,
    no metadata in words, or an encoder that does not come so far in the time.

    Args:
        seconds: after so many, no further query is encoded.
    """
    found = sample_usual_scores(index, encoder, seconds=seconds)
    index.update(usual=found)
    return found


def usual_scores(index: MilvusIndex, encoder: Encoder) -> UsualScores:
    """What queries score in the index; of an index without, sampled now, in a few seconds.

    It is kept where the index may be changed, and else known to this process. An encoder for which
    that is not time enough leaves ways unknown until the next ingest.
    """
    info = index.info
    if info.usual is not None:
        return info.usual
    key = (info.collection, info.updated)
    if key not in _sampled_here:
        began = time.monotonic()
        _sampled_here[key] = found = sample_usual_scores(index, encoder, seconds=FIRST_SECONDS)
        if time.monotonic() < began + FIRST_SECONDS:
            with contextlib.suppress(RecomposeError):  # read-only, or gone meanwhile
                index.update(usual=found)
    return _sampled_here[key]


_sampled_here: dict[tuple[str, str], UsualScores] = {}


def is_learnt(info: IndexInfo, images: int) -> bool:
    """Whether the usual scores are known, of about as many images: a quarter more or fewer."""
    then = 0 if info.usual is None else info.usual.images
    return then > 0 and then / _GROWTH <= images <= then * _GROWTH


def usual_score(
    usual: UsualScores | None, query: Query, options: SearchOptions = USUAL
) -> UsualScore | None:
    """What queries score that ask in the same way.

    None where that is not known: the way was not sampled, or options change what scores mean
    (`balance` between its ends and its middle, `composition`, `less`, `words`, several references).
    """
    if (
        usual is None
        or options.composition
        or options.less
        or options.less_image
        or options.words
        or query.more
    ):
        return None
    match way_of(query), options.balance:
        case ("image", _) | ("composed", 1):
            return usual.image
        case ("text", _) | ("composed", 0):
            is_sentence = len(query.text.split()) >= _SENTENCE_WORDS
            return usual.sentence if is_sentence else usual.text
        case "composed", 0.5:
            return usual.composed
    return None


def is_nothing_close(
    usual: UsualScores | None,
    query: Query,
    hits: Sequence[Hit],
    options: SearchOptions = USUAL,
) -> bool | None:
    """Whether the best hit scores less than nearly all queries do that the index can answer.

    None where there is no hit, or what is usual is not known (`usual_score`).
    """
    known = usual_score(usual, query, options)
    if known is None or not hits:
        return None
    return max(hit.score for hit in hits) < known.least


def sample_usual_scores(
    index: MilvusIndex, encoder: Encoder, *, seconds: float = SECONDS
) -> UsualScores:
    """Sample what queries score in the index, as `learn_usual_scores` does; nothing is kept."""
    images = index.count()
    if images < LEAST_IMAGES:
        return UsualScores(images)
    deadline = time.monotonic() + seconds
    draw = random.Random(images)
    rows = index.sample(IMAGE_SAMPLE)
    own = [row.record for row in rows]
    records = own[:SAMPLE]
    vectors = np.array([row.vector for row in rows], np.float32)

    def asked(queries: Iterator[_Asked], share: float) -> UsualScore | None:
        return _score(_asked(index, encoder, queries, deadline), share)

    return UsualScores(
        images,
        image=_score(_best(index, vectors, own), IMAGE_SHARE),
        text=asked(_texts(records, draw, _TOLD), TEXT_SHARE),
        sentence=asked(_texts(records, draw, _SENTENCE_TOLD), TEXT_SHARE),
        composed=asked(_changes(index, records, draw), COMPOSED_SHARE),
    )


def _score(best: Sequence[float], share: float) -> UsualScore | None:
    if len(best) < LEAST_SAMPLE:
        return None
    least, middle = np.quantile(best, [share, 0.5])
    return UsualScore(float(least), float(middle), len(best))


def _best(
    index: MilvusIndex, vectors: Embeddings, own: Sequence[ImageRecord | None]
) -> list[float]:
    """The best score of each query, its own image and copies of it left out."""
    excluded = [() if each is None else (each.id,) for each in own]
    found = index.search_vectors(vectors, _COPIES, exclude_ids=excluded)
    contents = [None if each is None else each.content_hash for each in own]
    others = [
        [hit.score for hit in hits if hit.content_hash != content]
        for hits, content in zip(found, contents, strict=True)
    ]
    return [max(scores) for scores in others if scores]


def _asked(
    index: MilvusIndex,
    encoder: Encoder,
    asked: Iterator[_Asked],
    deadline: float,
) -> list[float]:
    """The best scores of queries, as many as are encoded in the time."""
    best: list[float] = []
    while time.monotonic() < deadline and (part := list(islice(asked, _BATCH))):
        vectors = embed(encoder, [query for _, query in part])
        best += _best(index, vectors, [record for record, _ in part])
    return best


def _texts(records: Sequence[ImageRecord], draw: random.Random, told: int) -> Iterator[_Asked]:
    """Texts of values that belong together."""
    for record in records:
        values = [value for value in record.metadata.values() if _is_words(value)]
        if values:
            text = " ".join(draw.sample(values, min(told, len(values))))
            yield None, Query(instruction=text)


def _changes(
    index: MilvusIndex, records: Sequence[ImageRecord], draw: random.Random
) -> Iterator[_Asked]:
    """Thumbnails with an instruction: in turn a usual one, and a value that other images have."""
    columns: dict[str, set[str]] = {}
    for record in records:
        for column, value in record.metadata.items():
            if _is_words(value):
                columns.setdefault(column, set()).add(value)
    few = [sorted(values) for values in columns.values() if 1 < len(values) <= _MOST_VALUES]
    wanted = [value for values in few for value in values]
    jpegs = index.thumbnails([record.id for record in records])
    for number, record in enumerate(records):
        instruction = draw.choice(wanted if wanted and number % 2 else _INSTRUCTIONS)
        if record.id in jpegs:
            with contextlib.suppress(ImageError):
                yield record, Query(decode(jpegs[record.id]).image, instruction)


def _is_words(value: object) -> bool:
    """Whether a value of the metadata is something to ask for: no number, code or file name."""
    if not isinstance(value, str) or len(value) > _LONGEST:
        return False
    is_file = value.lower().endswith(tuple(SUFFIXES))
    return not is_file and bool(_WORD.search(value))
