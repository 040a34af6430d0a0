"""Encoders that a whole process shares: pages and background jobs get the same one."""

import threading
from functools import lru_cache

from cir.encoders.base import Encoder

MAX_LOADED = 2
_lock = threading.Lock()


def shared_encoder(name: str, weights: str | None = None) -> Encoder:
    """The loaded encoder, the last `MAX_LOADED` are kept; errors as in `load_encoder`."""
    with _lock:  # two threads that want the same one must not load it twice
        return _loaded(name, weights)


@lru_cache(maxsize=MAX_LOADED)
def _loaded(name: str, weights: str | None) -> Encoder:
    from cir.encoders.registry import load_encoder

    return load_encoder(name, weights)
