"""The sample catalogue on disk."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from cir.indexing.metadata import read_table
from cir.progress import OnProgress, Progress, ProgressTeller
from cir.sample import catalogue as sample
from cir.sample.designs import Design, catalogue


class Blanks:
    """Blank pictures, at once; counts them."""

    drawn = 0

    def __call__(
        self,
        designs: Sequence[Design],
        folder: Path,
        on_progress: OnProgress | None = None,
    ) -> None:
        teller = ProgressTeller(len(designs), on_progress)
        for design in designs:
            Image.new("RGB", (8, 10), "white").save(folder / design.file)
            self.drawn += 1
            teller.count(1)


@pytest.fixture
def blanks() -> Blanks:
    return Blanks()


def test_pictures_metadata_and_labelled_set_are_written(tmp_path: Path, blanks: Blanks) -> None:
    told: list[Progress] = []
    images = sample.write_catalogue(tmp_path / "sample", told.append, draw=blanks)
    total = len(catalogue())
    assert images == tmp_path / "sample" / "images"
    assert [each.done for each in told] == list(range(1, total + 1))
    assert len(list(images.glob("*.jpg"))) == total
    assert (tmp_path / "sample/labelled/queries.jsonl").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["sample"]


def test_metadata_describes_every_picture(tmp_path: Path, blanks: Blanks) -> None:
    images = sample.write_catalogue(tmp_path / "sample", draw=blanks)
    files = sorted(path.name for path in images.glob("*.jpg"))
    table = read_table(images / "metadata.csv", files)
    assert table.key == "file"
    for design in catalogue():
        values = table.lookup(design.file)
        assert values is not None
        assert dict(design.attributes).items() <= dict(values).items()
    assert not table.unmatched_rows


def test_a_complete_catalogue_is_left_as_it_is(tmp_path: Path, blanks: Blanks) -> None:
    sample.write_catalogue(tmp_path / "sample", draw=blanks)
    again = Blanks()
    sample.write_catalogue(tmp_path / "sample", draw=again)
    assert not again.drawn


@pytest.mark.parametrize("damage", ["a picture is gone", "older version", "mark damaged"])
def test_an_old_or_damaged_catalogue_is_replaced(
    tmp_path: Path, blanks: Blanks, damage: str
) -> None:
    folder = tmp_path / "sample"
    images = sample.write_catalogue(folder, draw=blanks)
    if damage == "a picture is gone":
        (images / catalogue()[5].file).unlink()
    elif damage == "older version":
        (folder / "catalogue.json").write_text(json.dumps({"version": 0}))
    else:
        (folder / "catalogue.json").write_text("[")
    again = Blanks()
    sample.write_catalogue(folder, draw=again)
    assert again.drawn == len(catalogue())
    assert sample.is_complete(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["sample"]


def test_nothing_is_left_when_drawing_stops_halfway(tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(progress: Progress) -> None:
        assert 0 < progress.share < 1 and progress.total == len(catalogue())
        raise Stopped

    with pytest.raises(Stopped):
        sample.write_catalogue(tmp_path / "sample", stop)
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_when_the_disk_is_full(tmp_path: Path) -> None:
    def fail(designs: Sequence[Design], folder: Path, on_progress: OnProgress | None) -> None:
        (folder / designs[0].file).write_bytes(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        sample.write_catalogue(tmp_path / "sample", draw=fail)
    assert not list(tmp_path.iterdir())


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path, blanks: Blanks) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match="something other"):
        sample.write_catalogue(tmp_path, draw=blanks)
    assert not blanks.drawn
    assert (tmp_path / "holiday.jpg").read_bytes() == b"mine"


def test_an_empty_folder_is_filled(tmp_path: Path, blanks: Blanks) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    sample.write_catalogue(folder, draw=blanks)
    assert sample.is_complete(folder)
    assert blanks.drawn
