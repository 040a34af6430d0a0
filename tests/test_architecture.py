"""Imports go as `docs/architecture.md` says."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.docs.pages import page
from tests.places import REPOSITORY

PAGE = page("docs/architecture.md")
PACKAGES = ("cir", "eval", "pages")
ENTRIES = {"__init__", "__main__"}
"""Modules of a package that are no room: they name what others hold, or start a command line."""

Table = Mapping[str, set[str]]


def table(heading: str) -> Table:
    """First column -> the names in the last, of the first table below a heading."""
    below = PAGE.text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in below.splitlines() if line.startswith("| `")]
    return {
        name: set(re.findall(r"`([\w.]+)`", cells[-1])) if len(cells) > 1 else set()
        for cells in rows
        for name in re.findall(r"`([\w.]+)`", cells[0])
    }


def rooms(package: str) -> Table:
    """Room -> the rooms of the same package that it may import."""
    return table(f"Rooms of {package}")


def files(package: str) -> Iterator[Path]:
    yield from sorted((REPOSITORY / package).rglob("*.py"))


def room_of(module: str) -> str:
    """`cir.store.index` is of the room `store`, `pages.parts.shell.session` of `parts.shell`."""
    parts = module.split(".")[1:]
    return ".".join(parts[:2] if parts[:1] == ["parts"] else parts[:1])


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    """Modules that a file imports, at its top or later; of `from cir import access` the latter."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{path}: imports are absolute"
            if node.module in {*PACKAGES, "pages.parts"}:
                yield from (f"{node.module}.{each.name}" for each in node.names)
            else:
                yield node.module


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)


@cache
def arrows(package: str) -> list[tuple[str, str, str]]:
    """Room, what it imports (a module), and the file."""
    return [
        (room_of(module_of(path)), imported, path.relative_to(REPOSITORY).as_posix())
        for path in files(package)
        for imported in imports(path)
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_room_is_in_the_table(package: str) -> None:
    there = {room_of(module_of(path)) for path in files(package)}
    assert set(rooms(package)) == there - ENTRIES


@pytest.mark.parametrize("package", PACKAGES)
def test_rooms_import_what_the_table_allows(package: str) -> None:
    allowed = rooms(package)
    wrong = [
        f"{file}: {room} imports {imported}"
        for room, imported, file in arrows(package)
        if imported.startswith(f"{package}.") and room not in ENTRIES
        if room_of(imported) not in {room, *allowed[room]}
    ]
    assert wrong == []


@pytest.mark.parametrize("package", PACKAGES)
def test_the_table_allows_nothing_that_is_not_needed_and_no_circle(package: str) -> None:
    used: dict[str, set[str]] = {room: set() for room in rooms(package)}
    for room, imported, _ in arrows(package):
        if imported.startswith(f"{package}.") and room in used:
            used[room].add(room_of(imported))
    assert {room: needed - used[room] for room, needed in rooms(package).items()} == {
        room: set() for room in used
    }
    list(TopologicalSorter(rooms(package)).static_order())  # raises where there is a circle


@pytest.mark.parametrize(
    ("package", "never"),
    [
        ("cir", r"(eval|pages|streamlit_app|examples|benchmarks|tests)\b"),
        ("eval", r"(pages|streamlit_app|examples|benchmarks|tests)\b"),
        (
            "pages",
            r"(cir\.cli|cir\.training|eval\.cli|eval\.model_card|examples|benchmarks|tests)\b",
        ),
    ],
)
def test_no_import_points_upwards(package: str, never: str) -> None:
    assert [(file, it) for _, it, file in arrows(package) if re.match(never, it)] == []


def test_the_command_line_and_the_training_are_for_few() -> None:
    both = [(f"eval.{room}", imported) for room, imported, _ in arrows("eval")]
    takes = {
        needed: {room for room, imported in both if imported.startswith(needed)}
        for needed in ("cir.cli", "cir.training")
    }
    assert takes["cir.cli"] <= {"eval.cli"} and takes["cir.training"] <= {"eval.model_card"}


def test_packages_of_others_stay_in_their_rooms() -> None:
    places = table("Other people's packages")
    found: dict[str, set[str]] = {name: set() for name in places}
    for package in PACKAGES:
        for room, imported, _ in arrows(package):
            name = imported.partition(".")[0]
            if name in found:
                found[name].add("pages" if package == "pages" else f"{package}.{room}")
    assert found == places


def test_nothing_but_the_command_lines_prints() -> None:
    printing = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno}"
        for package in PACKAGES
        for path in files(package)
        if not {"cli", "training"} & set(path.parts)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    assert printing == []
