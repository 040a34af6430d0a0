"""Encoders that a whole process shares: pages and background jobs get the same one.

Nothing is downloaded here: whoever may download calls `cir.encoders.registry.fetch_encoder` first.
"""

import threading
from contextlib import suppress
from functools import lru_cache

from cir.encoders.protocol import Encoder, MadeByEncoder
from cir.encoders.specs import COMPACT

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
    from cir.encoders.registry import settled_precision

    with _lock:  # two threads that want the same one must not load it twice
        # A new index asks for "auto", whoever searches it for what that came to: the same encoder.
        settled = settled_precision(name, device, precision)
        return _loaded(name, weights, tokenizer, device, settled)


def encoder_of_index(
    index: MadeByEncoder,
    *,
    weights: str | None = None,
    tokenizer: str | None = None,
    device: str = "auto",
    precision: str = "auto",
) -> Encoder:
    """The encoder that made an index.

    Args:
        weights, tokenizer: where they are now, where they have moved.
        precision: "auto" is that of the index, where the device has it.
    """
    if precision == "auto":
        precision = index.precision
    if precision == "fp16" == index.precision:  # torch is only imported where it has to be
        from cir.encoders.on_torch.devices import supported_precision

        precision = supported_precision(precision, device)
    files = weights or index.weights, tokenizer or index.tokenizer
    return shared_encoder(index.encoder, *files, device, precision)


def load_ahead(
    name: str, weights: str | None = None, tokenizer: str | None = None, device: str = "auto"
) -> None:
    """Begin to load the encoder that an index was probably made by, while the index is looked up.

    Only the compact one, which is small. It loads in a thread, which the process waits for at its
    end; what goes wrong there goes wrong again for whoever asks for the encoder.
    """
    if name != COMPACT.name:
        return
    try:
        # Here, not in the thread: Ctrl-C amid an import keeps the lock of imports for ever, and a
        # thread that imports would wait for it.
        import cir.encoders.compact.encoder
        import cir.encoders.registry  # noqa: F401
    except ImportError:
        return

    def load() -> None:
        with suppress(Exception):
            shared_encoder(name, weights, tokenizer, device, "exact")

    threading.Thread(target=load, name=f"load {name}").start()


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
