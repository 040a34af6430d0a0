"""A run or a submission that the disk refuses is a sentence, and leaves nothing behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cir.errors import RecomposeError
from eval.runs.writing import RunWriter
from tests.small_disk import files_below, fill, small_disk


@pytest.fixture
def disk() -> Iterator[Path]:
    with small_disk(2) as folder:
        yield folder


def test_a_run_without_room_says_so_and_leaves_nothing(disk: Path) -> None:
    ranked = [(f"{number}.png", 1 - number / 1000) for number in range(1000)]
    with (
        pytest.raises(RecomposeError, match=rf"run .* written to {disk}/run \(No space left"),
        RunWriter(disk / "run", ["composed"]) as writer,
    ):
        fill(disk, 20_000)
        for query in range(1000):
            writer.add_query(str(query), [])
            writer.add_ranking(str(query), "composed", ranked, 1)
    assert [each.name for each in disk.iterdir()] == ["filler"]


def test_a_run_whose_end_has_no_room_leaves_nothing(disk: Path) -> None:
    with (
        pytest.raises(RecomposeError, match="No space left"),
        RunWriter(disk / "run", ["composed"]) as writer,
    ):
        writer.add_query("q", [])
        writer.add_ranking("q", "composed", [("a.png", 1.0)], 1)
        fill(disk)
        writer.finish({})
    assert files_below(disk) == {"filler"}
    assert [each.name for each in disk.iterdir()] == ["filler"]
