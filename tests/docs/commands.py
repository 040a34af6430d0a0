"""The two command lines as their pages describe them, and the tables of options in those pages.

    python -m tests.docs.commands

writes the tables of `docs/command-line.md` anew from the commands' own help texts.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import typer
from typer.main import get_command

from cir.cli.app import app as cir_app
from eval.cli.app import app as eval_app
from tests.docs.pages import page

CALLS = {
    "python -m cir": cir_app,
    "python -m eval": eval_app,
    "recompose": cir_app,
    "recompose-eval": eval_app,
}
"""How the command lines are called."""

PAGE = page("docs/command-line.md")
SHARED = ("--weights", "--tokenizer", "--device", "--precision", "--uri", "--token", "--json")
"""Options that several commands have; the page tells them once."""

_SHARED_TABLE = re.compile(r"(<!-- shared options -->\n).*?(<!-- end of options -->)", re.DOTALL)
_TABLE = re.compile(r"(<!-- options: ([^>]+) -->\n).*?(<!-- end of options -->)", re.DOTALL)


@dataclass(frozen=True)
class Option:
    """An option or argument of a command.

    Attributes:
        spellings: `--limit`; of one that has an opposite both; of an argument its name.
        value: what follows it, "" for a flag and for an argument.
        help: what it does, in its own words.
    """

    spellings: tuple[str, ...]
    value: str
    help: str

    @property
    def row(self) -> str:
        """A line of a table."""
        shown = ", ".join(f"`{each} {self.value}`".replace(" `", "`") for each in self.spellings)
        return f"| {shown} | {self.help.replace('|', chr(92) + '|')} |"


def options(app: typer.Typer) -> dict[str, list[Option]]:
    """Command -> its arguments and options, in their order; hidden ones are left out."""
    group: Any = get_command(app)
    return {
        name: [_option(each) for each in command.params if not getattr(each, "hidden", False)]
        for name, command in group.commands.items()
        if not command.hidden
    }


def all_options() -> dict[str, list[Option]]:
    """The same of both, by how a command is called: `python -m cir index`."""
    return {
        f"{call} {name}": found
        for call, app in CALLS.items()
        if call.startswith("python")
        for name, found in options(app).items()
    }


def _option(given: Any) -> Option:
    if given.param_type_name == "argument":
        return Option((given.metavar or given.name.upper(),), "", given.help or "")
    notes = []
    if given.required:
        notes.append("Required.")
    elif given.show_default and not (given.is_flag or given.default in (None, "")):
        notes.append(f"Default: {given.default}.")
    value = "" if given.is_flag else given.metavar or given.opts[0].lstrip("-").upper()
    spellings = (*given.opts, *given.secondary_opts)
    return Option(spellings, value, " ".join([given.help or "", *notes]))


def _table(found: Sequence[Option]) -> str:
    rows = [each.row for each in found]
    return "\n".join(["| option | what it does |", "|---|---|", *rows, ""]) if rows else ""


def with_tables(text: str) -> str:
    """The page with its tables as the commands are now."""
    commands = all_options()
    shared = {
        each.spellings[0]: each
        for found in commands.values()
        for each in found
        if each.spellings[0] in SHARED
    }

    def of_command(match: re.Match[str]) -> str:
        found = commands[match[2]]
        own = _table([each for each in found if each.spellings[0] not in SHARED])
        also = [f"`{name}`" for name in SHARED if name in {each.spellings[0] for each in found}]
        told = f"Of the [shared options](#shared-options): {', '.join(also)}.\n" if also else ""
        parts = [part for part in (own, told) if part]
        return "\n".join([match[1], *parts, match[3]])

    told = _table([shared[name] for name in SHARED])
    text = _SHARED_TABLE.sub(lambda match: f"{match[1]}\n{told}\n{match[2]}", text)
    return _TABLE.sub(of_command, text)


if __name__ == "__main__":
    PAGE.path.write_text(with_tables(PAGE.text), encoding="utf-8")
