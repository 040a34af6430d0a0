"""File formats of labelled sets. A module of this package that exports a `FORMAT` is one."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any

from cir.errors import UsageError
from eval.sets.formats.annotations import images
from eval.sets.labelled import LabelledSet, Protocol

Ranked = Mapping[str, Sequence[str]]
"""Query id -> ids of images, best first."""


@dataclass(frozen=True)
class Option:
    """A way to read a format's files otherwise, on or off.

    Attributes:
        name: of the setting in a run, for example `small_gallery`.
        help: what it does, for people: no capital, no full stop.
    """

    name: str
    help: str


@dataclass(frozen=True)
class Template:
    """How an instruction is said to an encoder.

    Attributes:
        text: with `{caption}` for what the annotations say, and their other fields by name.
        joined: what stands between the captions of a query that has two.
        both_orders: whether the embeddings of both orders of the two are averaged.
    """

    text: str = "{caption}"
    joined: str = " and "
    both_orders: bool = False


@dataclass(frozen=True)
class Rankings:
    """What a file ranks.

    Attributes:
        by_query: query id -> ids of images, best first; queries without a ranking are not there.
        of_candidates: whether the file says that only the queries' candidates were searched.
        notes: what a person should know of the file, a sentence each.
    """

    by_query: Mapping[str, list[str]]
    of_candidates: bool = False
    notes: tuple[str, ...] = ()


def read_lists(path: Path, content: Any, labelled: LabelledSet) -> Rankings:
    """The usual submission file: an object that gives each query its images.

    They are a list, best first, or an object of their scores, as MTEB, BEIR and ranx write:
    ordered as trec_eval does, equal scores by id, the larger first.

    Args:
        path: the file, for messages.
        content: what it holds, parsed.
        labelled: the set that was asked.

    Raises:
        UsageError: it holds something else, a query has neither, or a score is no number.
    """
    if not isinstance(content, dict):
        raise UsageError(
            f"{path} holds a list of {len(content)} rankings, not an object that gives each query "
            f"of {labelled.name} its own."
        )
    others = [key for key, value in content.items() if not isinstance(value, list | dict)]
    if others:
        raise UsageError(
            f"{path}: the query {min(others)!r} has no list of images, nor an object of their "
            "scores."
        )
    return Rankings(
        {
            key: _by_score(value, f"{path}, query {key!r}")
            if isinstance(value, dict)
            else list(images(content, key, f"{path}, query"))
            for key, value in content.items()
        }
    )


def _by_score(scores: Mapping[str, Any], place: str) -> list[str]:
    for image, score in scores.items():
        if isinstance(score, bool) or not isinstance(score, int | float) or not _is_finite(score):
            raise UsageError(f"{place}: the score of {image!r} is not a finite number.")
    return sorted(scores, key=lambda image: (scores[image], image), reverse=True)


def _is_finite(score: float) -> bool:
    try:
        return isfinite(score)
    except OverflowError:  # a whole number beyond what a float holds
        return False


def _same_id(name: str, labelled: LabelledSet) -> str:
    return name


@dataclass(frozen=True, kw_only=True)
class Format:
    """How the labelled sets of one kind lie on disk, are counted and are handed in.

    Attributes:
        title: what it is called for people.
        names: of the formats that this is, usually one; each but "native" is also the name of a
            published set.
        published: when the paper appeared, `YYYY-MM`; empty for a format that is no benchmark's.
            Formats are listed in this order.
        protocol: how its sets are counted.
        load: reads the annotation files of a name below a root, a split (None for the usual one)
            with the options that were set; raises UsageError.
        options: ways to read the files otherwise.
        templates: by name, how authors of encoders say its instructions, as far as that is not
            what `load` gives. "plain" is that, in every format.
        query_id: the id of a query that a file of rankings names otherwise.
        read_submission: reads a submission file, parsed from JSON; raises UsageError.
        write_submission: makes the files for the benchmark's test server, name and content, of the
            rankings and of those of the candidates; raises UsageError. None without a server.
    """

    title: str
    names: tuple[str, ...]
    published: str = ""
    protocol: Protocol
    load: Callable[[str, Path, str | None, Mapping[str, bool]], LabelledSet]
    options: tuple[Option, ...] = ()
    templates: Mapping[str, Template] = field(default_factory=dict)
    query_id: Callable[[str, LabelledSet], str] = _same_id
    read_submission: Callable[[Path, Any, LabelledSet], Rankings] = read_lists
    write_submission: Callable[[Ranked, Ranked], Mapping[str, str]] | None = None


@cache
def formats() -> tuple[Format, ...]:
    """Every format there is."""
    modules = [
        importlib.import_module(f"{__name__}.{module.name}")
        for module in pkgutil.iter_modules(__path__)
    ]
    found = [vars(module)["FORMAT"] for module in modules if "FORMAT" in vars(module)]
    return tuple(sorted(found, key=lambda each: (each.published, each.names)))


def format_names() -> tuple[str, ...]:
    """The names of all formats."""
    return tuple(name for each in formats() for name in each.names)


def find_format(name: object) -> Format | None:
    """The format of this name; None where there is none."""
    return next((each for each in formats() if name in each.names), None)


def format_named(name: str) -> Format:
    """The format of this name.

    Raises:
        UsageError: there is none.
    """
    found = find_format(name)
    if found is None:
        raise UsageError(f"There is no format {name!r}: write one of {', '.join(format_names())}.")
    return found
