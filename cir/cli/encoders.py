"""The encoder that a command line asks for, with a question before a download."""

import sys

import typer

from cir.cli.console import progress_bar
from cir.encoders.protocol import Encoder, EncoderChoice, precision_note
from cir.encoders.registry import (
    choice_of_index,
    described,
    fetch,
    load_encoder,
    readiness,
)
from cir.encoders.weights import missing_sentence
from cir.errors import EncoderError, UnknownIndexError
from cir.store import IndexInfo, MilvusStore
from cir.words import size


def encoder_to_index(
    store: MilvusStore,
    index: str,
    asked: str | None,
    choice: EncoderChoice,
    *,
    download: bool = False,
) -> Encoder:
    """The encoder that was asked for; else that of the index, else the one of the choice.

    An index that is there says where its files were, and in which precision it was made. Another
    precision is warned about.

    Args:
        asked: the name that a person typed, None for none; else `choice` is for a new index.
        download: fetch without asking.

    Raises:
        UsageError: there is no such encoder. EncoderError: it cannot be loaded, or its download was
            not wanted.
    """
    info = _held(store, index)
    if info is None or (asked is not None and choice.name != info.encoder):
        return new_encoder(choice, download=download)
    encoder = new_encoder(choice_of_index(info, choice), download=download)
    note = precision_note(encoder, info)
    if note:
        typer.echo(f"Note: {note}", err=True)
    return encoder


def new_encoder(choice: EncoderChoice, *, download: bool = False) -> Encoder:
    """The encoder of a choice, for an index that is not there yet; errors as above."""
    if readiness(choice) == "download":
        _fetch(choice, download=download)
    return load_encoder(choice, download=False)


def _held(store: MilvusStore, index: str) -> IndexInfo | None:
    try:
        return store.open(index).info
    except UnknownIndexError:
        return None


def _fetch(choice: EncoderChoice, *, download: bool) -> None:
    """Fetch what is missing, if that is wanted."""
    spec = described(choice)
    what = "the tokenizer" if choice.weights else size(spec.download_bytes)
    what += f", licence {spec.licence}" if spec.folders else ""
    if not download:
        if not sys.stdin.isatty():
            why = "It is not on this machine; --download fetches it."
            raise EncoderError(missing_sentence(spec, choice, why))
        question = f"The encoder {spec.name} is not on this machine. Download {what}?"
        if not typer.confirm(question, err=True):
            raise EncoderError(missing_sentence(spec, choice, "It was not downloaded."))
    typer.echo(f"Downloading the encoder {spec.name}: {what} from {spec.source}.", err=True)
    with progress_bar() as on_progress:
        fetch(choice, on_progress)
