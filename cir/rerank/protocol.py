"""What a second stage is: it scores the first hits of a query, and never sees the others."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from PIL.Image import Image

from cir.settings import Settings

_EDGE = 1e-6


@dataclass(frozen=True)
class Candidate:
    """A hit as a second stage reads it.

    Attributes:
        text: of the chosen metadata columns; "" where they hold none.
        jpeg: its thumbnail, where the family reads pictures and there is one.
    """

    text: str = ""
    jpeg: bytes | None = None


@dataclass(frozen=True)
class Judged:
    """What a second stage says of the candidates of one query.

    Attributes:
        scores: one a candidate, any number; its logistic function is what counts.
        reasons: why, by the candidate's place, of a model that explains.
        tokens: what a paid model has read and written.
    """

    scores: Sequence[float]
    reasons: Mapping[int, str] = field(default_factory=dict)
    tokens: int = 0


def logit(share: float) -> float:
    """The score whose logistic function is a share of 0 to 1, to a millionth; always finite."""
    share = min(max(share, _EDGE), 1 - _EDGE)
    return math.log(share / (1 - share))


class Reranker(Protocol):
    """A loaded second stage; safe to share between threads."""

    def judge(
        self, instruction: str, reference: Image | None, candidates: Sequence[Candidate]
    ) -> Judged:
        """Score at least one candidate against an instruction that is not empty.

        Raises:
            RerankError: it cannot.
        """
        ...


@dataclass(frozen=True)
class RerankFamily:
    """Second stages of one kind: a module of `cir.rerank` exports one as `FAMILY`.

    Attributes:
        prefix: what their names begin with, followed by a colon and the model's name where
            `example` has one.
        example: a whole name.
        does: what they do, a phrase for people.
        load: gives the second stage of a model's name; raises UsageError for one that cannot be,
            RerankError where it cannot be loaded.
        reads_text: whether they need metadata.
        reads_pictures: whether they see thumbnails and the reference.
        opens_files: whether the model's name may be a folder of this machine.
        packages: what has to be installed.
    """

    prefix: str
    example: str
    does: str
    load: Callable[[str, Settings], Reranker]
    reads_text: bool = True
    reads_pictures: bool = False
    opens_files: bool = False
    packages: tuple[str, ...] = ()

    @property
    def takes_model(self) -> bool:
        """Whether a model's name belongs to the name."""
        return ":" in self.example
