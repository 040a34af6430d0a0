"""The first hits of a query in the order of cosine and second stage together."""

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from PIL.Image import Image

from cir.encoders.remembered import Remembered
from cir.errors import RerankError, UsageError
from cir.rerank.protocol import Candidate, Judged
from cir.rerank.registry import family_of, load_reranker
from cir.settings import Settings
from cir.store import Hit, ImageRecord, MilvusIndex, Reranked

_SHOWN_COLUMNS = 20
_WORTH_TELLING = 0.5  # seconds


@dataclass(frozen=True)
class Outcome:
    """What a second stage did for one query.

    Attributes:
        name: of the second stage.
        judged: hits that it has scored.
        unread: first hits without text in the chosen columns, which it cannot read.
        seconds: that it took.
        tokens: what a paid model has read and written.
        failure: why the hits are as they were without it, a sentence; "" where they are not.
    """

    name: str
    judged: int = 0
    unread: int = 0
    seconds: float = 0.0
    tokens: int = 0
    failure: str = ""

    def notes(self) -> list[str]:
        """What a person should know of it, a sentence each."""
        if self.failure:
            return [f"These are the results without the second stage. {self.failure}"]
        told = []
        if self.unread:
            told.append(
                f"{self.unread} of the first {self.unread + self.judged} images have no text for "
                "the second stage: they neither gain nor lose by it."
            )
        if self.tokens or self.seconds >= _WORTH_TELLING:
            tokens = f" and {self.tokens:,} tokens" if self.tokens else ""
            told.append(f"The second stage took {self.seconds:.1f} s{tokens}.")
        return told


OnRerank = Callable[[Outcome], None]


@dataclass(frozen=True)
class SecondStage:
    """How the first hits of an index are ordered anew.

    Attributes:
        columns: of the metadata, whose text is read; at least one where the family needs text.
        weight: what the logistic function of a score, 0 to 1, is multiplied by.
        depth: how many of the first hits it sees.

    Raises:
        UsageError: there is no such second stage, or the index lacks a column.
    """

    index: MilvusIndex
    name: str
    columns: Sequence[str]
    weight: float
    depth: int
    settings: Settings | None = None

    def __post_init__(self) -> None:
        there = self.index.info.columns
        named = f"The columns are: {', '.join(sorted(there)[:_SHOWN_COLUMNS]) or 'none'}."
        unknown = [name for name in self.columns if name not in there]
        if unknown:
            raise UsageError(
                f'There is no column "{unknown[0]:.200}" for the second stage to read. {named}'
            )
        if family_of(self.name).reads_text and not self.columns:
            raise UsageError(
                f"The second stage {self.name} reads metadata, and no column of this index holds "
                f"titles: name the columns to read. {named}"
            )

    def ordered(
        self, hits: Sequence[Hit], instruction: str, reference: Image | None, told: OnRerank
    ) -> list[Hit]:
        """The same hits, the first `depth` by score + weight / (1 + exp(-second stage's score)).

        Equal ones stay in their order. A hit without text gets the mean of the others: it neither
        gains nor loses. Where the second stage fails, or there is no instruction, the hits come as
        they are. `told` hears of either but the last.
        """
        first = list(hits[: self.depth])
        if not instruction or not first:
            return list(hits)
        began = time.perf_counter()
        try:
            readable, judged = self._judged(first, instruction, reference)
        except RerankError as error:
            seconds = time.perf_counter() - began
            told(Outcome(self.name, seconds=seconds, failure=str(error)))
            return list(hits)
        shares = [_sigmoid(score) for score in judged.scores]
        middle = sum(shares) / len(shares)
        share = dict(zip(readable, shares, strict=True))
        reason = {readable[place]: text for place, text in judged.reasons.items()}
        scored = [
            replace(hit, reranked=Reranked(share.get(at, middle), at + 1, reason.get(at, "")))
            for at, hit in enumerate(first)
        ]
        scored.sort(key=lambda hit: -fused(hit, self.weight))
        seconds, unread = time.perf_counter() - began, len(first) - len(readable)
        told(Outcome(self.name, len(readable), unread, seconds, judged.tokens))
        return [*scored, *hits[self.depth :]]

    def _judged(
        self, hits: Sequence[Hit], instruction: str, reference: Image | None
    ) -> tuple[list[int], Judged]:
        """Which of the hits can be read, and what the second stage says of them."""
        family = family_of(self.name)
        reranker = load_reranker(self.name, self.settings)
        sees = family.reads_pictures
        jpegs = self.index.thumbnails([hit.id for hit in hits]) if sees else {}
        candidates = [Candidate(text_of(hit, self.columns), jpegs.get(hit.id)) for hit in hits]
        readable = [at for at, each in enumerate(candidates) if each.text or each.jpeg]
        if not readable:
            raise RerankError(
                f"None of the first {len(hits)} images has text in {', '.join(self.columns)}, so "
                f"the second stage {self.name} cannot read them: choose other columns."
            )
        seen = [candidates[at] for at in readable]
        shown = reference if sees else None
        fresh = False

        def judge(places: list[int]) -> list[Judged]:
            nonlocal fresh
            fresh = True
            judged = reranker.judge(instruction, shown, seen)
            if len(judged.scores) != len(seen) or not all(map(math.isfinite, judged.scores)):
                raise RerankError(f"The second stage {self.name} gave no score for every image.")
            return [judged]

        key = (self.name, self.settings, _digest(instruction, shown, seen))
        (judged,) = _kept.by_key([key], judge)
        return readable, judged if fresh else replace(judged, tokens=0)


_kept: Remembered[Judged] = Remembered()
"""The page asks again at every click what a paid model has answered already."""


def fused(hit: Hit, weight: float) -> float:
    """What a hit is ordered by: its cosine, and what the second stage adds where it has seen it."""
    return hit.score + (weight * hit.reranked.share if hit.reranked else 0.0)


def before_rerank(hits: Sequence[Hit]) -> list[Hit]:
    """The hits in the order that they have without the second stage."""
    places = enumerate(hits, start=1)
    ranks = {hit.id: hit.reranked.rank if hit.reranked else at for at, hit in places}
    return sorted(hits, key=lambda hit: ranks[hit.id])


def text_of(image: Hit | ImageRecord, columns: Sequence[str]) -> str:
    """What the columns say of an image; "" where they are empty."""
    values = (str(image.metadata.get(name, "")).strip() for name in columns)
    return ", ".join(value for value in values if value)


def _sigmoid(score: float) -> float:
    """Of any finite number, without an overflow."""
    return 0.5 * (1 + math.tanh(score / 2))


def _digest(instruction: str, image: Image | None, candidates: Sequence[Candidate]) -> bytes:
    pixels = None if image is None else (image.size, hashlib.sha256(image.tobytes()).digest())
    pictures = [hashlib.sha256(each.jpeg or b"").digest() for each in candidates]
    texts = [each.text for each in candidates]
    return hashlib.sha256(repr((instruction, pixels, texts, pictures)).encode()).digest()
