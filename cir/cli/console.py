"""What the command lines of `cir` and `eval` share: options, exit codes, output, bar, errors."""

import inspect
import io
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import Field, fields
from functools import wraps
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cir.errors import RecomposeError, UsageError, WayOut, Words
from cir.progress import OnProgress, Progress

WORDS: Words = {
    WayOut.FULL_INSTALLATION: "Install requirements.txt (of the package: recompose[full]), or use "
    "the encoder compact.",
    WayOut.GENERAL_INSTALLATION: "Install them: pip install fastembed (of the package: "
    "recompose[general]), or use the encoder compact.",
    WayOut.NAME_TOKENIZER: "Put back what was there, or say where it is now with --tokenizer.",
    WayOut.NAME_WEIGHTS: "Put back what was there, or say where it is now with --weights.",
    WayOut.OTHER_DEVICE: "Close what else uses it, or choose --device cpu.",
    WayOut.NAME_ARCHIVE: "Then: python -m cir sample --tutorial --from FILE",
    WayOut.ENCODE_ANEW: "Encode it anew, which keeps its images and their metadata: "
    "python -m cir index NAME --re-encode",
    WayOut.REPLACE_FILE: "Choose another name, or replace it with --replace.",
}
"""The ways out of errors as flags of the command lines."""

FAILED, WRONG_USE, MISSED_MINIMUM, WORSE, INTERRUPTED = 1, 2, 3, 4, 130

QUERY, RESULTS, ENCODER, MILVUS = "Query", "Results", "Encoder", "Milvus"
"""Panels of `--help`; the options of a search name theirs (`cir.search.SearchOptions`)."""

Uri = Annotated[
    str | None,
    typer.Option(
        "--uri",
        help="Milvus: address of a server or of Zilliz Cloud, or a Lite file. "
        "Default: CIR_MILVUS_URI, else a Lite file in the data folder.",
        show_default=False,
        rich_help_panel=MILVUS,
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        help="Token of the Milvus server, user:password or an API key; - reads it from standard "
        "input. Default: CIR_MILVUS_TOKEN.",
        show_default=False,
        rich_help_panel=MILVUS,
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        "--weights",
        help="The encoder's checkpoint on this machine. Default: where it was for the index, else "
        "the weights folder (CIR_WEIGHTS_DIR), the cache of the hub, or a download.",
        show_default=False,
        rich_help_panel=ENCODER,
    ),
]
Tokenizer = Annotated[
    str | None,
    typer.Option(
        "--tokenizer",
        help="Folder of the encoder's tokenizer; likewise.",
        show_default=False,
        rich_help_panel=ENCODER,
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        help="Where a large encoder computes: auto, cpu, cuda or mps. Default: CIR_DEVICE.",
        show_default=False,
        rich_help_panel=ENCODER,
    ),
]
Precision = Annotated[
    str,
    typer.Option(
        help="Arithmetic of a large encoder: exact, bf16, fp16, or fast, the quickest here. "
        "auto: the index's, else exact on a CPU and half precision on a GPU.",
        rich_help_panel=ENCODER,
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on standard output, nothing else.")
]


def with_parameters(
    work: Callable[..., Any],
    argument: str,
    parameters: Sequence[inspect.Parameter],
    gather: Callable[[dict[str, Any]], Any],
) -> Callable[..., Any]:
    """A command with these parameters in the place of one keyword argument of the work.

    `gather` makes the argument's value of theirs, by name.
    """
    signature = inspect.signature(work)
    own = list(signature.parameters.values())
    at = next(at for at, each in enumerate(own) if each.name == argument)
    own[at : at + 1] = parameters

    @wraps(work)
    def run(**given: Any) -> Any:
        told = {each.name: given.pop(each.name) for each in parameters}
        return work(**given, **{argument: gather(told)})

    run.__signature__ = signature.replace(parameters=own)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in own}
    return run


def takes(
    options: type[Any], *, of: Callable[[Field[Any]], bool] = lambda each: True
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command an option for each field of a dataclass, in place of its argument `options`.

    A field's metadata hold `help`, `panel`, `low` and `high`; a tuple becomes a repeatable option,
    a truth value a flag. `of` says which fields are offered; the others have their defaults. What
    the dataclass refuses is wrong use.
    """

    def gather(told: dict[str, Any]) -> Any:
        try:
            return options(**{name: value for name, value in told.items() if value is not None})
        except UsageError as error:
            raise typer.BadParameter(str(error)) from error

    offered = [_parameter(each) for each in fields(options) if of(each)]
    return lambda work: with_parameters(work, "options", offered, gather)


def _parameter(each: Field[Any]) -> inspect.Parameter:
    """The parameter that typer reads a field's option from."""
    facts = each.metadata
    repeatable = isinstance(each.default, tuple)
    kind = list[str] | None if repeatable else each.type
    flag = f"--{each.name.replace('_', '-')}"
    option = typer.Option(
        flag,  # named, so that a truth value has no opposite
        help=facts["help"],
        min=facts["low"],
        max=facts["high"],
        show_default=each.default not in ((), "", None),
        rich_help_panel=facts["panel"],
    )
    return inspect.Parameter(
        each.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None if repeatable else each.default,
        annotation=Annotated[kind, option],
    )


def read_token(flag: str | None) -> str | None:
    """The token a flag stands for: "-" reads a line of standard input."""
    return sys.stdin.readline().strip() if flag == "-" else flag


class Commands(TyperGroup):
    """Commands of which wrong options, too, are a JSON document where `--json` is among them."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        _accept_any_text()
        as_json = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except Exception as error:
            # Typer's errors of usage share no public base; they alone can format themselves.
            if as_json and hasattr(error, "format_message"):
                print_document({"error": error.format_message()})
            raise


@contextmanager
def command(
    as_json: bool, interrupted: str = "Interrupted.", words: Words = WORDS
) -> Iterator[None]:
    """Run a command's work: errors become one sentence and an exit code.

    With `as_json`, whatever the work or a library under it prints goes to standard error, at the
    level of the file descriptor too, so that standard output holds the document alone. An error is
    a document then as well: `{"error": "..."}`. `interrupted` is what Ctrl-C is answered with, and
    SIGTERM, with which services and containers are ended; `words` say how the ways out of an error
    are spelt here.
    """
    try:
        with _quiet_output(as_json), _terminable():
            yield
    except RecomposeError as error:
        code = WRONG_USE if isinstance(error, UsageError) else FAILED
        _fail(error.worded(words), as_json, code)
    except OSError as error:
        _fail(f"{error.strerror or error} ({error.filename or 'no file'}).", as_json, FAILED)
    except (KeyboardInterrupt, typer.Abort):  # the latter: Ctrl-C at a question
        _fail(interrupted, as_json, INTERRUPTED)
    except typer.Exit:
        raise
    except Exception as error:
        if not as_json:
            raise
        traceback.print_exc()
        _fail(f"Unexpected: {type(error).__name__}: {error}", as_json, FAILED)


def print_document(document: Any) -> None:
    """Print a JSON document on standard output; call it outside of `command`."""
    try:
        typer.echo(json.dumps(document, indent=2, allow_nan=False))
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise  # who reads has seen enough
        typer.echo(f"Error: the document cannot be written ({error.strerror or error}).", err=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nothing is left to be tried again at the end
        raise typer.Exit(FAILED) from error


@contextmanager
def progress_bar() -> Iterator[OnProgress]:
    """A listener that draws a bar a stage on standard error, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, TaskID, TextColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[figures]}", markup=False),
    )
    with Bars(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        said = ""

        def show(progress: Progress) -> None:
            nonlocal said
            if progress.waiting != said and progress.waiting and not console.is_terminal:
                typer.echo(f"Waiting for {progress.waiting} to answer.", err=True)
            said = progress.waiting
            if progress.stage not in tasks:
                tasks[progress.stage] = bars.add_task(progress.stage, total=None, figures="")
            bars.update(
                tasks[progress.stage],
                completed=progress.done,
                total=None if progress.growing else progress.total,  # without one, it pulses
                figures=progress.figures,
            )

        yield show


def _accept_any_text() -> None:
    """Names of files and values go out as escapes where a terminal cannot show them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _fail(message: str, as_json: bool, code: int) -> None:
    typer.echo(f"Error: {message}", err=True)
    if as_json:
        print_document({"error": message})
    raise typer.Exit(code)


@contextmanager
def _terminable() -> Iterator[None]:
    """Within, SIGTERM ends the work as Ctrl-C does: what is under way is put in order first."""
    before = signal.getsignal(signal.SIGTERM)
    ours = before is signal.SIG_DFL and threading.current_thread() is threading.main_thread()
    if ours:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def _quiet_output(active: bool) -> Iterator[None]:
    if not active:
        yield
        return
    sys.stdout.flush()
    saved = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)
