"""How a query is repeated elsewhere: a line for a shell, lines of Python."""

import shlex
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from cir.search.options import USUAL, SearchOptions


def shell_line(
    index: str,
    images: Sequence[str] = (),
    text: str = "",
    options: SearchOptions = USUAL,
    *,
    uri: str | None = None,
) -> str:
    """The command that asks this, quoted for a POSIX shell.

    Args:
        index: its display name.
        images: the references, each a file or the id of an image of the index, with "*0.5" where it
            has a weight.
        text: the instruction.
        options: those that differ from the usual ones are said.
        uri: the Milvus; None where the reader's settings name it. A token is never said.
    """
    words: list[str] = []
    for name, value in _told(images, text, options, {"uri": uri}).items():
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(flag)
        else:
            for each in value if isinstance(value, (list, tuple)) else (value,):
                told = str(each)
                words += [f"{flag}={told}"] if told.startswith("-") else [flag, told]
    named = [*words, "--", index] if index.startswith("-") else [index, *words]
    return f"python -m cir search {shlex.join(named)}"


def python_lines(
    index: str,
    images: Sequence[str] = (),
    text: str = "",
    options: SearchOptions = USUAL,
    *,
    uri: str | None = None,
) -> str:
    """The lines of Python that ask this and print a line a hit; arguments as in `shell_line`."""
    told = _told(images, text, options, {})
    if len(images) == 1:
        told["image"] = images[0]
    arguments = ", ".join(f"{name}={value!r}" for name, value in told.items())
    store = "" if uri is None else repr(uri)
    return (
        "import cir\n\n"
        f"index = cir.Store({store}).index({index!r})\n"
        f"for hit in index.search({arguments}):\n"
        '    print(f"{hit.score:7.4f}  {hit.path}")\n'
    )


def _told(
    images: Sequence[str], text: str, options: SearchOptions, more: dict[str, Any]
) -> dict[str, Any]:
    """What has to be said, by the name of the option; what is usual needs no word."""
    asked = {"image": list(images), "text": text} | more
    changed = {
        each.name: getattr(options, each.name)
        for each in fields(options)
        if getattr(options, each.name) != getattr(USUAL, each.name)
    }
    return {name: value for name, value in asked.items() if value} | changed
