"""Encoders by name."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from cir.encoders.base import Encoder, EncoderSpec
from cir.encoders.compact import encoder as compact
from cir.errors import UsageError

SPECS: Mapping[str, EncoderSpec] = {compact.SPEC.name: compact.SPEC}


def encoder_spec(name: str) -> EncoderSpec:
    """Facts about the encoder of this name.

    Raises:
        UsageError: there is none; names those there are.
    """
    if name in SPECS:
        return SPECS[name]
    close = get_close_matches(name, SPECS, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    raise UsageError(f"There is no encoder {name!r}. Encoders: {', '.join(SPECS)}.{hint}")


def load_encoder(name: str, weights: str | Path | None = None) -> Encoder:
    """The encoder of this name, ready to use.

    Args:
        name: a key of `SPECS`.
        weights: a folder with weights of one's own; None takes those that ship with the project.

    Raises:
        UsageError: no such encoder. EncoderError: its files are missing or damaged.
    """
    encoder_spec(name)
    return compact.CompactEncoder(Path(weights) if weights else compact.FOLDER)


def is_ready(name: str) -> bool:
    """Whether the encoder can be loaded without a download."""
    encoder_spec(name)
    return all((compact.FOLDER / file).is_file() for file in compact.FILES)
