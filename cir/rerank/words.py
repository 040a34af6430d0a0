"""Overlap of an instruction with metadata, weighted by IDF: no model, what others must beat."""

import math
import re
from collections.abc import Sequence

from PIL.Image import Image

from cir.rerank.protocol import Candidate, Judged, RerankFamily, logit

_WORD = re.compile(r"\w+")
_PLURAL = re.compile(r"(?<=[^\W\d_]{2}[^\W\d_s])s$")


class WordOverlap:
    """Scores are logits of shares, so that the share itself is what counts."""

    def judge(
        self, instruction: str, reference: Image | None, candidates: Sequence[Candidate]
    ) -> Judged:
        """The share of the instruction's words that a candidate has, each counted by its IDF.

        The IDF is that of BM25 (Robertson and Zaragoza, 2009) among the candidates,
        log(1 + (n - d + 0.5) / (d + 0.5)) for a word of d among n.
        """
        texts = [_words(each.text) for each in candidates]
        among = {word: sum(word in text for text in texts) for word in _words(instruction)}
        weights = {
            word: math.log1p((len(texts) - found + 0.5) / (found + 0.5))
            for word, found in among.items()
        }
        whole = sum(weights.values()) or 1.0
        return Judged(
            [logit(sum(weights[word] for word in text & weights.keys()) / whole) for text in texts]
        )


def _words(text: str) -> set[str]:
    """Words without the s of an English plural."""
    return {_PLURAL.sub("", word) for word in _WORD.findall(text.casefold())}


FAMILY = RerankFamily(
    prefix="words",
    example="words",
    does="words that instruction and metadata share, without a model",
    load=lambda model, settings: WordOverlap(),
)
