"""The errors that callers may catch: each says what happened, to which thing, and what to do."""

from collections.abc import Mapping
from enum import StrEnum


class WayOut(StrEnum):
    """What a person can do about an error; the value says it in words that fit every face.

    A face (a command line, a page) knows where that is done and says so in words of its own, see
    `RecomposeError.worded`: the library knows neither flags nor widgets. Who builds on the library
    has ways out of the same kind, the bench those of `eval.errors`.
    """

    FULL_INSTALLATION = "Install them (recompose[full]), or use the encoder compact."
    GENERAL_INSTALLATION = "Install them (recompose[general]), or use the encoder compact."
    NAME_TOKENIZER = "Put back what was there, or say where the tokenizer is now."
    NAME_WEIGHTS = "Put back what was there, or say where the weights are now."
    OTHER_DEVICE = "Close what else uses it, or compute on the CPU."
    NAME_ARCHIVE = "Then name the file."
    ENCODE_ANEW = "Encode it anew: its images and their metadata stay."
    REPLACE_FILE = "Choose another name, or say that it may be replaced."


Words = Mapping[StrEnum, str]
"""The ways out as a face says them."""


class RecomposeError(Exception):
    """Base of every error whose message is meant for a person.

    Attributes:
        message: what happened, to which thing.
        ways_out: what can be done about it, where a face may have words of its own for that.
    """

    def __init__(self, message: str = "", *ways_out: StrEnum) -> None:
        super().__init__(message, *ways_out)  # as arguments, so that pickling keeps them
        self.message = message
        self.ways_out = ways_out

    def __str__(self) -> str:
        return self.worded({})

    def worded(self, words: Words) -> str:
        """The message and its ways out, each in the words of a face, else in its own."""
        return " ".join([self.message, *(words.get(way, way.value) for way in self.ways_out)])


class UsageError(RecomposeError):
    """What was asked cannot be done as asked: an unknown name, a missing folder, a bad filter."""


class UnknownIndexError(UsageError):
    """No index has this name."""


class ReadOnlyError(UsageError):
    """This Recompose is set to change nothing."""


class AccessError(UsageError):
    """A folder or file lies outside of what this Recompose may read."""


class ImageError(RecomposeError):
    """A file or upload cannot be read as an image."""


class EncoderError(RecomposeError):
    """An encoder cannot be loaded or cannot be used for what was asked."""


class EncoderMismatchError(EncoderError, UsageError):
    """An index was made by another encoder than the one at hand."""


class RerankError(RecomposeError):
    """A second stage cannot be loaded, or does not answer what it was asked."""


class StoreError(RecomposeError):
    """Milvus cannot be reached, refuses the request, or holds something unexpected."""


class StoreBusyError(StoreError):
    """A local Milvus Lite file stays held by another process."""


class StoreAwayError(StoreError):
    """A Milvus server does not answer for now; the same call may succeed in a moment."""
