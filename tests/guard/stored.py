"""The stored data folder: what is in it, and a copy of it to work on.

`data.zip` was written by `write_data`, with the code of the day; `expected.json` is what that code
answered. Later code must open the one and give the other. Write them anew only where a change of
formats or figures is meant.
"""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cir.command_line import CommandLine

HERE = Path(__file__).parent
ARCHIVE = HERE / "data.zip"
EXPECTED = HERE / "expected.json"
WRITTEN_IN = "/recompose-guard"
"""Where the folder stood when it was written; there is no such place on any machine."""

INDEX, SET, OWN_SET = "Album", "colours", "mine"
SEARCHES: dict[str, tuple[str, ...]] = {
    "picture and text": ("--image", "red.png", "--text", "in blue"),
    "picture": ("--image", "striped/green striped.png"),
    "text": ("--text", "a red dress with stripes"),
    "text, narrowed": ("--text", "in green", "--where", "price>=30", "--where", "on_sale=true"),
    "word with umlaut": ("--image", "red.png", "--text", "darker", "--where", "fabric=Köper"),
}
"""Arguments of `search`; pictures are named by their place in the album."""

_MODIFIED = 1_700_000_000  # seconds; an archive keeps no exact times


@dataclass(frozen=True)
class Stored:
    """A copy of the folder: pictures, a labelled set of them, and the data folder.

    Attributes:
        folder: where the copy is.
    """

    folder: Path

    @property
    def pictures(self) -> Path:
        """Eighteen drawn pictures and `metadata.csv`."""
        return self.folder / "pictures"

    @property
    def cir(self) -> CommandLine:
        """`python -m cir` on this data folder."""
        return CommandLine(self.folder / "data")

    @property
    def eval(self) -> CommandLine:
        """`python -m eval` on this data folder."""
        return CommandLine(self.folder / "data", "eval")

    @property
    def run(self) -> Path:
        """The stored run, with ablations."""
        (run,) = (self.folder / "data" / "runs").glob(f"{SET}-*")
        return run

    def search(self, name: str) -> list[dict[str, Any]]:
        """The hits of one of `SEARCHES`."""
        arguments = [
            self.pictures / each if each.endswith(".png") else each for each in SEARCHES[name]
        ]
        hits: list[dict[str, Any]] = self.cir.document("search", INDEX, *arguments, "--limit", 18)[
            "hits"
        ]
        return hits

    def compare(self) -> dict[str, Any]:
        """The document that compares the stored run with its sum."""
        return self.eval.document("compare", self.run.name, f"{self.run.name}:sum")

    def date_pictures(self) -> None:
        """Give each picture the time that the index remembers."""
        for path in self.pictures.rglob("*.png"):
            os.utime(path, (_MODIFIED, _MODIFIED))


def unpack(folder: Path) -> Stored:
    """A copy in an empty folder; runs and registered sets name this folder, the index does not."""
    shutil.unpack_archive(ARCHIVE, folder)
    stored = Stored(folder)
    stored.date_pictures()
    for path in (folder / "data" / "registered_sets.json", stored.run / "run.json"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(WRITTEN_IN, json.dumps(str(folder))[1:-1]), encoding="utf-8")
    return stored
