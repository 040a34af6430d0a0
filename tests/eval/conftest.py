"""Small labelled sets and drawn galleries."""

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from eval.cli.app import app
from tests.eval.command_line import QRELS, QUERIES, Evaluate, WriteSet

COLOURS = ("red", "green", "blue", "yellow", "purple", "orange")
HEADER = "query-id\tcorpus-id\tscore"


@pytest.fixture
def write_set(tmp_path: Path) -> WriteSet:
    """A function that writes a native labelled set and gives its folder."""

    def write(
        queries: Iterable[Mapping[str, Any] | str],
        qrels: Iterable[tuple[str, str, int] | str],
        *,
        split: str = "test",
        name: str = "set",
    ) -> Path:
        folder = tmp_path / name
        (folder / "qrels").mkdir(parents=True, exist_ok=True)
        lines = [query if isinstance(query, str) else json.dumps(query) for query in queries]
        (folder / "queries.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        rows = [row if isinstance(row, str) else "\t".join(map(str, row)) for row in qrels]
        text = "\n".join([HEADER, *rows]) + "\n"
        (folder / "qrels" / f"{split}.tsv").write_text(text, encoding="utf-8")
        return folder

    return write


def draw(path: Path, colour: str, *, striped: bool = False) -> None:
    """A picture of one colour, with white stripes if wanted."""
    image = Image.new("RGB", (48, 48), colour)
    if striped:
        pencil = ImageDraw.Draw(image)
        for top in range(0, 48, 12):
            pencil.rectangle((0, top, 47, top + 5), fill="white")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder `photos` of twelve pictures that no test changes.

    Each colour is there plain, and striped in a subfolder.
    """
    folder = tmp_path_factory.mktemp("drawn") / "photos"
    for colour in COLOURS:
        draw(folder / f"{colour}.png", colour)
        draw(folder / "striped ones" / f"{colour}.png", colour, striped=True)
    return folder


@pytest.fixture
def own_gallery(gallery: Path, tmp_path: Path) -> Path:
    """A copy of the gallery, to be changed."""
    return shutil.copytree(gallery, tmp_path / "photos")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data folder for the module, so that Milvus Lite starts once."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def evaluate(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Evaluate:
    """A function that runs `python -m eval run` with these arguments, in this process."""
    for name in ("CIR_MILVUS_URI", "CIR_MILVUS_TOKEN", "CIR_ENCODER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CIR_DATA_DIR", str(data_dir))
    return lambda *arguments: CliRunner().invoke(app, ["run", *map(str, arguments)])


@pytest.fixture
def labelled(write_set: WriteSet) -> Path:
    """A labelled set of three queries over the drawn gallery."""
    return write_set(QUERIES, QRELS)
