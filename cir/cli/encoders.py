"""The encoder that a command line asks for, with a question before a download."""

import sys
from dataclasses import dataclass, replace

import typer

from cir.cli import output as report
from cir.encoders.protocol import Encoder, precision_note
from cir.encoders.registry import encoder_readiness, encoder_spec, fetch_encoder
from cir.encoders.shared import encoder_of_index, shared_encoder
from cir.encoders.weights import missing_sentence
from cir.errors import EncoderError, UnknownIndexError
from cir.store import IndexInfo, Store


@dataclass(frozen=True)
class EncoderFiles:
    """What the options say of an encoder; `download`: fetch without asking."""

    weights: str | None = None
    tokenizer: str | None = None
    device: str = "auto"
    precision: str = "auto"
    download: bool = False


def encoder_to_index(
    store: Store, index: str, asked: str | None, default: str, files: EncoderFiles
) -> Encoder:
    """The encoder that was asked for; else that of the index, else the default for new ones.

    An index that is there says where its files were, and in which precision it was made. Another
    precision is warned about.

    Raises:
        UsageError: there is no such encoder. EncoderError: it cannot be loaded, or its download was
            not wanted.
    """
    info = _held(store, index)
    if info is None or asked not in {None, info.encoder}:
        return new_encoder(asked or default, files)
    files = replace(
        files,
        weights=files.weights or info.weights,
        tokenizer=files.tokenizer or info.tokenizer,
    )
    _fetch(info.encoder, files)
    encoder = encoder_of_index(
        info,
        weights=files.weights,
        tokenizer=files.tokenizer,
        device=files.device,
        precision=files.precision,
    )
    note = precision_note(encoder, info)
    if note:
        typer.echo(f"Note: {note}", err=True)
    return encoder


def new_encoder(name: str, files: EncoderFiles) -> Encoder:
    """The encoder of this name, for an index that is not there yet; errors as above."""
    _fetch(name, files)
    return shared_encoder(name, files.weights, files.tokenizer, files.device, files.precision)


def _held(store: Store, index: str) -> IndexInfo | None:
    try:
        return store.open(index).info
    except UnknownIndexError:
        return None


def _fetch(name: str, files: EncoderFiles) -> None:
    """Fetch what is missing, if that is wanted."""
    if encoder_readiness(name, files.weights, files.tokenizer) != "download":
        return
    spec = encoder_spec(name)
    size = "the tokenizer" if files.weights else f"{spec.download_bytes / 1e6:,.0f} MB"
    if not files.download:
        if not sys.stdin.isatty():
            why = "It is not on this machine; --download fetches it."
            raise EncoderError(missing_sentence(spec, why))
        question = f"The encoder {name} is not on this machine. Download {size}?"
        if not typer.confirm(question, err=True):
            raise EncoderError(missing_sentence(spec, "It was not downloaded."))
    typer.echo(f"Downloading the encoder {name}: {size} from {spec.source}.", err=True)
    with report.progress_bar() as on_progress:
        fetch_encoder(name, on_progress, files.weights, files.tokenizer)
