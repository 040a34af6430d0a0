"""The encoder that a command line asks for, with a question before a download."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import typer

from cir.encoders.base import Encoder
from cir.encoders.checkpoints import missing_sentence
from cir.encoders.registry import encoder_readiness, encoder_spec, fetch_encoder
from cir.encoders.shared import encoder_of_index, shared_encoder
from cir.errors import EncoderError, UnknownIndexError
from cir.progress import Progress
from cir.store import Store


@dataclass(frozen=True)
class EncoderFiles:
    """What the options say of an encoder; `download`: fetch without asking."""

    weights: str | None
    tokenizer: str | None
    device: str
    precision: str
    download: bool


def encoder_to_index(
    store: Store,
    index: str,
    asked: str | None,
    default: str,
    files: EncoderFiles,
    on_progress: Callable[[Progress], None],
) -> Encoder:
    """The encoder that was asked for; else that of the index, else the default for new ones.

    Raises:
        UsageError: there is no such encoder. EncoderError: it cannot be loaded, or its download was
            not wanted.
    """
    name = asked or default
    if asked is None:
        try:
            info = store.open(index).info
        except UnknownIndexError:
            pass
        else:
            if files.precision == "auto":
                moved = {"weights": files.weights, "tokenizer": files.tokenizer}
                return encoder_of_index(info, device=files.device, **moved)
            name = info.encoder
    if files.weights is None or files.tokenizer is None:
        _fetch(name, files, on_progress)
    return shared_encoder(name, files.weights, files.tokenizer, files.device, files.precision)


def _fetch(name: str, files: EncoderFiles, on_progress: Callable[[Progress], None]) -> None:
    """Fetch what is missing, if that is wanted."""
    if encoder_readiness(name) != "download" or files.weights is not None:
        return
    spec = encoder_spec(name)
    size = f"{spec.download_bytes / 1e6:,.0f} MB"
    if not files.download:
        if not sys.stdin.isatty():
            why = "It is not on this machine; --download fetches it."
            raise EncoderError(missing_sentence(spec, why))
        typer.confirm(f"The encoder {name} is not here. Download {size}?", abort=True, err=True)
    typer.echo(f"Downloading the encoder {name}: {size} from {spec.source}.", err=True)
    fetch_encoder(name, on_progress)
