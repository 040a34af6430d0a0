"""The pages that people read, and what is in them: snippets, code, links, headings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.places import REPOSITORY

_FENCE = re.compile(r"^( *)```(\w*)[^\n`]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_NOT_RUN = re.compile(r"<!-- not run:(.*?)-->\s*\Z", re.DOTALL)
_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Snippet:
    """A fenced block of a page.

    Attributes:
        place: page and line, for messages.
        language: "python", "shell", ...; "" for none.
        code: what is in it.
        excuse: why it cannot run offline, None where it runs.
    """

    place: str
    language: str
    code: str
    excuse: str | None


@dataclass(frozen=True)
class Page:
    """A page in Markdown."""

    path: Path

    @property
    def name(self) -> str:
        """Its path in the repository."""
        return self.path.relative_to(REPOSITORY).as_posix()

    @cached_property
    def text(self) -> str:
        """What is in it."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def snippets(self) -> list[Snippet]:
        """Its fenced blocks in order."""
        return list(self._snippets())

    def _snippets(self) -> Iterator[Snippet]:
        for found in _FENCE.finditer(self.text):
            before = self.text[: found.start()]
            excuse = _NOT_RUN.search(before)
            yield Snippet(
                f"{self.name}:{before.count(chr(10)) + 1}",
                found[2],
                re.sub(f"^{found[1]}", "", found[3], flags=re.MULTILINE),
                excuse[1].strip() if excuse else None,
            )

    @property
    def runs(self) -> bool:
        """Whether it holds code that is run."""
        return any(
            each.excuse is None and each.language in {"python", "shell"} for each in self.snippets
        )

    @property
    def prose(self) -> str:
        """The page without its fenced blocks."""
        return _FENCE.sub("", self.text)

    @cached_property
    def code(self) -> list[str]:
        """Every piece of code: fenced blocks and spans."""
        return [each.code for each in self.snippets] + _CODE.findall(self.prose)

    @property
    def links(self) -> list[str]:
        """Where its links and pictures lead."""
        return _LINK.findall(self.prose)

    @property
    def anchors(self) -> set[str]:
        """What may stand behind a `#`: the headings as GitHub spells them."""
        found: set[str] = set()
        for heading in _HEADING.findall(self.prose):
            plain = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            numbered = (f"{plain}-{count}" for count in range(1, 100))
            found.add(next(name for name in (plain, *numbered) if name not in found))
        return found


def page(name: str) -> Page:
    """The page of this path in the repository."""
    return Page(REPOSITORY / name)


PAGES = [page("README.md"), *map(Page, sorted((REPOSITORY / "docs").glob("*.md")))]
"""Those that a person finds from README; what they say is held to the code."""
