"""The errors that callers may catch: each says what happened, to which thing, and what to do."""


class RecomposeError(Exception):
    """Base of every error whose message is meant for a person."""


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


class StoreError(RecomposeError):
    """Milvus cannot be reached, refuses the request, or holds something unexpected."""


class StoreBusyError(StoreError):
    """A local Milvus Lite file stays held by another process."""
