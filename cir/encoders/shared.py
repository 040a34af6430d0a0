"""Encoders that a whole process shares: pages and background jobs get the same one.

Nothing is downloaded here: whoever may download calls `cir.encoders.registry.fetch_encoder` first.
"""

import threading
from functools import lru_cache

from cir.encoders.base import Encoder, MadeByEncoder

MAX_LOADED = 2
_lock = threading.Lock()


def shared_encoder(
    name: str,
    weights: str | None = None,
    tokenizer: str | None = None,
    device: str = "auto",
    precision: str = "auto",
) -> Encoder:
    """The loaded encoder, the last `MAX_LOADED` are kept; errors as in `load_encoder`."""
    with _lock:  # two threads that want the same one must not load it twice
        return _loaded(name, weights, tokenizer, device, precision)


def encoder_of_index(
    index: MadeByEncoder,
    *,
    weights: str | None = None,
    tokenizer: str | None = None,
    device: str = "auto",
) -> Encoder:
    """The encoder that made an index, in the index's precision where the device has it.

    `weights` and `tokenizer` say where they are now, where they have moved.
    """
    precision = index.precision
    if precision == "fp16":  # torch is only imported where it has to be
        from cir.encoders.devices import supported_precision

        precision = supported_precision(precision, device)
    files = weights or index.weights, tokenizer or index.tokenizer
    return shared_encoder(index.encoder, *files, device, precision)


def encoder_for(what: str | MadeByEncoder, device: str = "auto") -> Encoder:
    """The encoder of this name, or the one that made this index."""
    if isinstance(what, str):
        return shared_encoder(what, device=device)
    return encoder_of_index(what, device=device)


@lru_cache(maxsize=MAX_LOADED)
def _loaded(
    name: str, weights: str | None, tokenizer: str | None, device: str, precision: str
) -> Encoder:
    from cir.encoders.registry import load_encoder

    return load_encoder(name, weights, tokenizer, device, precision, download=False)
