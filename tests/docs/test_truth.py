"""README and docs leave out no command, option, setting or public name, and invent none."""

import inspect
import re
import shlex
import tomllib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

import cir
import cir.settings
import eval as bench
from cir.training.__main__ import app as training_app
from eval.measures import FAMILIES
from eval.sets.formats import format_names
from tests.docs.commands import CALLS, PAGE, all_options, options, with_tables
from tests.docs.pages import PAGES, Page, page
from tests.places import REPOSITORY

OF_OTHERS = ("--server.",)
"""Options of other programs, by how they begin."""

_OPTION = re.compile(r"(?<![\w-])--[a-z][\w.-]*")
_SETTING = re.compile(r"\bCIR_[A-Z_]+\b")
_NAME = re.compile(r"(?<![\w./])(cir|bench|eval)\.([A-Za-z]\w*)(?!\w*\.py)")
PACKAGES: dict[str, ModuleType] = {"cir": cir, "eval": bench, "bench": bench}


def names(package: ModuleType) -> list[str]:
    public: list[str] = package.__all__
    return public


def test_the_page_of_commands_is_what_the_commands_say_of_themselves() -> None:
    assert with_tables(PAGE.text) == PAGE.text, "python -m tests.docs.commands writes it anew"


def test_every_command_is_told_with_its_options() -> None:
    told = set(re.findall(r"<!-- options: (.+?) -->", PAGE.text))
    assert told == set(all_options())
    silent = [
        f"{command} {option.spellings[0]}"
        for command, found in all_options().items()
        for option in found
        if not option.help
    ]
    assert silent == []


def lines_of_commands() -> Iterator[tuple[str, str, list[str]]]:
    """Page, call and words of each command line in the pages; placeholders and all."""
    for each in PAGES:
        for code in each.code:
            for line in code.replace("\\\n", " ").splitlines():
                for call in CALLS:
                    start = line.partition(f"{call} ")
                    if start[1] and (not start[0] or start[0][-1] == " "):
                        yield each.name, call, shlex.split(start[2], comments=True)


def test_the_pages_name_no_command_or_option_that_does_not_exist() -> None:
    known = {call: options(app) for call, app in CALLS.items()}
    found = list(lines_of_commands())
    assert len(found) > 30
    for name, call, words in found:
        if not words or not re.fullmatch(r"[a-z]+", words[0]):
            continue  # "the commands `recompose` and ..."
        assert words[0] in known[call], f"{name}: there is no {call} {words[0]}"
        has = {s for option in known[call][words[0]] for s in option.spellings} | {"--help"}
        for word in words[1:]:
            if word.startswith("--") and not word.startswith(OF_OTHERS):
                assert word.partition("=")[0] in has, f"{name}: {call} {words[0]} has no {word}"


def test_the_pages_name_no_option_that_no_command_has() -> None:
    apps = (*CALLS.values(), training_app)
    has = {s for app in apps for found in options(app).values() for o in found for s in o.spellings}
    has.add("--help")
    for each in PAGES:
        for option in _OPTION.findall("\n".join(each.code)):
            assert option in has or option.startswith(OF_OTHERS), f"{each.name}: {option}"


def test_settings_are_told_and_none_is_invented() -> None:
    read = set(_SETTING.findall(inspect.getsource(cir.settings)))
    assert read
    table = page("docs/hosting.md")
    for setting in read:
        assert f"| `{setting}` |" in table.text, f"{setting} lacks in the table of {table.name}"
    for each in PAGES:
        assert set(_SETTING.findall(each.text)) <= read, each.name
        for snippet in each.snippets:
            if snippet.language == "toml":
                known = {*read, "auth"}  # the latter is Streamlit's
                assert set(tomllib.loads(snippet.code)) <= known, snippet.place


@pytest.mark.parametrize("package", ["cir", "eval"])
def test_every_public_name_is_in_an_example_of_the_page(package: str) -> None:
    shown = "\n".join(
        each.code
        for each in page("docs/api.md").snippets
        if each.language == "python" and each.excuse is None
    )
    spelt = "bench" if package == "eval" else package
    lacks = [
        name for name in names(PACKAGES[package]) if not re.search(rf"\b{spelt}\.{name}\b", shown)
    ]
    assert lacks == [], "give each an example in docs/api.md"


@pytest.mark.parametrize("told", PAGES, ids=lambda told: told.name)
def test_the_pages_name_nothing_that_is_not_public(told: Page) -> None:
    for code in told.code:
        for package, name in _NAME.findall(code):
            public = name in names(PACKAGES[package]) or name == "__version__"
            module = PACKAGES[package].__name__
            folder = REPOSITORY / module / name
            inside = folder.is_dir() or folder.with_suffix(".py").is_file()
            assert public or inside, f"{told.name}: {package}.{name} is not there"


@pytest.mark.parametrize("package", ["cir", "eval"])
def test_public_names_say_what_they_are(package: str) -> None:
    for name in names(PACKAGES[package]):
        given = getattr(PACKAGES[package], name)
        assert inspect.getdoc(given), f"{package}.{name} lacks a docstring"
        if inspect.isclass(given) and given.__module__.split(".")[0] in {"cir", "eval"}:
            for member, value in members(given):
                assert inspect.getdoc(value), f"{package}.{name}.{member} lacks a docstring"


def members(given: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties that a class defines here, or takes from a class here."""
    for owner in given.__mro__:
        if owner.__module__.split(".")[0] in {"cir", "eval"}:
            for name, value in vars(owner).items():
                if not name.startswith("_") and (callable(value) or isinstance(value, property)):
                    yield name, value


def test_encoders_formats_and_measures_are_told() -> None:
    for name in cir.encoder_specs():
        assert f"| `{name}` |" in page("docs/encoders.md").text
    evaluation = page("docs/evaluation.md").text
    for family in FAMILIES:
        assert family in evaluation.lower()
    for name in format_names():
        assert name.split("-")[-1] in evaluation
