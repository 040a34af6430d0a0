"""Submissions are checked before they are written."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cir.errors import UsageError
from eval.runs.rankings import submission, write_submission
from eval.runs.reading import Run, open_run
from eval.runs.writing import RunWriter
from eval.sets.formats.circo import FORMAT

Ranking = list[str]
IMAGES = [f"unlabeled2017/{number:012}.jpg" for number in range(52)]


@pytest.fixture
def circo(tmp_path: Path) -> Callable[..., Run]:
    """A function that writes a run of CIRCO with two queries, "0" ranked so, and opens it."""

    def write(ranked: Ranking, *, second: bool = True, kept: bool = True) -> Run:
        place = tmp_path / "run"
        with RunWriter(place, ["composed"]) as writer:
            for query, images in (("0", ranked), ("1", IMAGES)):
                writer.add_query(query, ())
                if query == "0" or second:
                    scored = [(image, -float(rank)) for rank, image in enumerate(images)]
                    writer.add_ranking(query, "composed", scored, None)
            settings = {"format": "circo", "keep_reference": kept}
            document = {"set": "circo", "encoder": "compact", "queries": 2, "judged": False}
            writer.finish(document | {"settings": settings})
        return open_run(place, tmp_path)

    return write


def test_a_whole_run_is_handed_in_by_numbers(circo: Callable[..., Run], tmp_path: Path) -> None:
    (file,) = write_submission(circo(IMAGES[::-1]), tmp_path / "out")
    handed = json.loads(file.read_text())
    assert handed == {"0": [*range(51, 1, -1)], "1": [*range(50)]}


@pytest.mark.parametrize(
    ("ranked", "changes", "words"),
    [
        (IMAGES, {"second": False}, "1 of 2 queries have no ranking, the first of them '1'"),
        (IMAGES, {"kept": False}, "removed the reference image .* CIRCO is counted with it"),
        ([*IMAGES[:3], "000000000002.png", *IMAGES[3:]], {}, "'0' ranks the image '2' twice"),
        (["cover.jpg", *IMAGES], {}, "'0' ranks 'cover', which carries none"),
        (["٣.jpg", *IMAGES], {}, "'0' ranks '٣', which carries none"),
        (IMAGES[:49], {}, "'0' has 49: the gallery is too small"),
    ],
)
def test_what_the_server_would_refuse_is_not_written(
    circo: Callable[..., Run],
    tmp_path: Path,
    ranked: Ranking,
    changes: dict[str, bool],
    words: str,
) -> None:
    with pytest.raises(UsageError, match=words):
        write_submission(circo(ranked, **changes), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_query_that_the_run_did_not_ask_is_refused(circo: Callable[..., Run]) -> None:
    run = circo(IMAGES)
    assert run.folder is not None
    with (run.folder / "composed.trec").open("a") as file:
        file.write("7 Q0 000000000001.jpg 1 0.5 composed\n")
    with pytest.raises(UsageError, match="no query '7'"):
        submission(run)


def test_long_numbers_are_names() -> None:
    long = "9" * 5000
    assert FORMAT.protocol.id_of(f"{long}.jpg") == long
