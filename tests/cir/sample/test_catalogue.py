"""The sample catalogue on disk."""

import json
from pathlib import Path

import pytest
from PIL import Image

from cir.metadata import read_table
from cir.sample import catalogue as sample
from cir.sample.designs import Design, catalogue
from cir.sample.drawing import draw


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Blank pictures instead of drawings; the numbers of the designs that were drawn."""
    drawn: list[int] = []

    def blank(design: Design) -> Image.Image:
        drawn.append(design.id)
        return Image.new("RGB", (8, 10), "white")

    monkeypatch.setattr(sample, "draw", blank)
    return drawn


@pytest.mark.usefixtures("quick")
def test_pictures_metadata_and_labelled_set_are_written(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    images = sample.write_catalogue(
        tmp_path / "sample", lambda done, total: told.append((done, total))
    )
    total = len(catalogue())
    assert images == tmp_path / "sample" / "images"
    assert told == [(done, total) for done in range(1, total + 1)]
    assert len(list(images.glob("*.jpg"))) == total
    assert (tmp_path / "sample/labelled/queries.jsonl").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["sample"]


@pytest.mark.usefixtures("quick")
def test_metadata_describes_every_picture(tmp_path: Path) -> None:
    images = sample.write_catalogue(tmp_path / "sample")
    files = sorted(path.name for path in images.glob("*.jpg"))
    table = read_table(images / "metadata.csv", files)
    assert table.key == "file"
    for design in catalogue():
        values = table.lookup(design.file)
        assert values is not None
        assert dict(design.attributes).items() <= dict(values).items()
    assert not table.unmatched_rows


def test_a_complete_catalogue_is_left_as_it_is(tmp_path: Path, quick: list[int]) -> None:
    sample.write_catalogue(tmp_path / "sample")
    quick.clear()
    sample.write_catalogue(tmp_path / "sample")
    assert not quick


@pytest.mark.parametrize("damage", ["a picture is gone", "older version", "mark damaged"])
def test_an_old_or_damaged_catalogue_is_replaced(
    tmp_path: Path, quick: list[int], damage: str
) -> None:
    folder = tmp_path / "sample"
    images = sample.write_catalogue(folder)
    if damage == "a picture is gone":
        (images / catalogue()[5].file).unlink()
    elif damage == "older version":
        (folder / "catalogue.json").write_text(json.dumps({"version": 0}))
    else:
        (folder / "catalogue.json").write_text("[")
    quick.clear()
    sample.write_catalogue(folder)
    assert len(quick) == len(catalogue())
    assert sample.is_complete(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["sample"]


def test_nothing_is_left_when_drawing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(design: Design) -> Image.Image:
        raise OSError("disk full")

    monkeypatch.setattr(sample, "draw", fail)
    with pytest.raises(OSError, match="disk full"):
        sample.write_catalogue(tmp_path / "sample")
    assert not list(tmp_path.iterdir())


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path, quick: list[int]) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match="something other"):
        sample.write_catalogue(tmp_path)
    assert not quick
    assert (tmp_path / "holiday.jpg").read_bytes() == b"mine"


def test_an_empty_folder_is_filled(tmp_path: Path, quick: list[int]) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    sample.write_catalogue(folder)
    assert sample.is_complete(folder)
    assert quick


def test_pictures_are_small_files(tmp_path: Path) -> None:
    path = tmp_path / "one.jpg"
    draw(catalogue()[0]).save(path, "JPEG", quality=92, subsampling=0)
    assert path.stat().st_size < 120_000
