"""Results on the search page: what they are called, how many, and why there are none."""

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from cir.encoders.registry import load_encoder
from cir.indexing.folder import ingest
from cir.settings import load_settings
from cir.store import MilvusStore, image_id
from tests.pages.test_pages import SECONDS
from tests.places import REPOSITORY

SHADES = ("red", "green", "blue", "black", "orange", "purple")
PICTURES = 60


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the index "things": ten pictures of each colour, one of them twice."""
    folder = tmp_path_factory.mktemp("things")
    pictures, data = folder / "pictures", folder / "data"
    pictures.mkdir()
    lines = ["file,name,colour"]
    for number in range(PICTURES):
        name = f"{number:02}.png"
        colour = SHADES[number % len(SHADES)]
        Image.new("RGB", (40 + number, 60), colour).save(pictures / name)
        lines.append(f"{name},Thing number {number},{colour}")
    (pictures / "copy.png").write_bytes((pictures / "00.png").read_bytes())
    (pictures / "metadata.csv").write_text("\n".join(lines))
    settings = load_settings(data_dir=data)
    store = MilvusStore(settings.index_uri, data_dir=data)
    ingest(store, pictures, "things", load_encoder("compact"))
    store.close()
    return data


@pytest.fixture
def index(data_dir: Path, indexed: Path) -> str:
    shutil.copytree(indexed, data_dir)
    return "things"


def search(**asked: str | list[str]) -> AppTest:
    app = AppTest.from_file(str(REPOSITORY / "streamlit_app.py"), default_timeout=SECONDS)
    for name, value in asked.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def titles(app: AppTest) -> list[str]:
    return [each.label for each in app.button if each.key and each.key.startswith("open-")]


def press(app: AppTest, label: str) -> None:
    next(each for each in app.button if each.label == label).click().run()
    assert not app.exception


def hand(app: AppTest, label: str) -> None:
    """Press one of the hands in the menu of the first card."""
    menus: list[Any] = list(app.get("menu_button"))
    menus[0].click(label).run()
    assert not app.exception


def words(app: AppTest) -> str:
    return " ".join(each.value for each in (*app.markdown, *app.caption, *app.info))


def test_a_card_has_the_title_of_its_image_and_a_copy_stands_once(index: str) -> None:
    app = search(instruction="red", limit="192")
    assert len(titles(app)) == 48, "the first batch"
    press(app, "Load more")
    assert len(titles(app)) == PICTURES, "the copy stands under its twin"
    assert sum(title.startswith("Thing number ") for title in titles(app)) >= PICTURES - 1
    assert [each.label for each in app.button].count("+1 copy") == 1


def test_load_more_goes_on_behind_the_number_that_was_asked_for(index: str) -> None:
    app = search(instruction="red", limit="12")
    first = titles(app)
    assert len(first) == 12
    press(app, "Load more")
    assert len(titles(app)) == PICTURES
    assert titles(app)[:12] == first


def test_where_no_image_meets_the_filters_each_can_be_taken_away(index: str) -> None:
    app = search(instruction="red", where=["colour=red", "name~nothing"])
    assert "No image meets the filters" in words(app)
    labels = [each.label for each in app.button]
    assert "Without name\\~nothing\\: 10 images" in labels
    press(app, "Without name\\~nothing\\: 10 images")
    assert len(titles(app)) == 10


def test_a_least_score_that_nothing_reaches_can_be_taken_away(index: str) -> None:
    app = search(instruction="red", threshold="0.99")
    assert "No image scores 0\\.99 or more" in words(app).replace("0.99", "0\\.99")
    press(app, "Without this least score")
    assert len(titles(app)) == 24


def test_groups_tell_their_number_and_open(index: str) -> None:
    app = search(instruction="a red thing", group_by="colour", where="colour in red, blue")
    assert len(titles(app)) == 2
    press(app, "All 10 of blue")
    assert len(titles(app)) == 10
    assert app.query_params["where"] == ["colour in red, blue", "colour=blue"]
    assert "group_by" not in app.query_params


def test_more_and_less_like_a_result_stand_in_the_address(index: str) -> None:
    app = search(ref=image_id("00.png"))
    hand(app, "More like this")
    assert len(app.query_params["ref"]) == 2
    hand(app, "Less like this")
    assert app.query_params["less_image"]


def test_a_second_stage_says_what_it_moved(index: str) -> None:
    plain = search(instruction="thing number 43")
    app = search(instruction="thing number 43", rerank="words", rerank_columns="name")
    said = [each.value for each in app.caption]
    assert any("The second stage words has moved" in each for each in said)
    assert any("↑ was" in each for each in said)
    assert not any("was" in each.value and "↑" in each.value for each in plain.caption)


def test_a_second_stage_that_fails_is_told_beside_the_results(index: str) -> None:
    app = search(instruction="red", rerank="words", rerank_columns="colour")
    assert not app.warning
    app = search(instruction="red", rerank="words", rerank_columns="nothing")
    assert 'no column "nothing"' in app.error[0].value


def test_the_ways_of_asking_stand_side_by_side(index: str) -> None:
    app = search(ref=image_id("00.png"), instruction="in blue", ways="true")
    shown = words(app)
    assert all(f"**{way}**" in shown for way in ("Image only", "Sentence only", "Sum", "Composed"))
    assert len(titles(app)) == 4 * 8
    assert "there is one way" in words(search(instruction="in blue", ways="true"))


def test_a_chosen_size_stands_in_the_address(index: str) -> None:
    app = search(instruction="red")
    app.segmented_control(key="size of the pictures").set_value("large").run()
    assert app.query_params["size"] == "large"
    assert titles(search(instruction="red", size="gigantic")), "what is unknown is the usual size"


def test_what_is_printed_finds_the_same_wherever_it_is_run(
    index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"ref": image_id("01.png"), "instruction": "in red", "balance": "0.4", "limit": "12"}
    app = search(**asked)
    press(app, "Take away")
    assert str(load_settings().data_dir) not in " ".join(each.value for each in app.code)

    monkeypatch.setattr("pages.parts.search.take_away.is_local", lambda: True)
    app = search(**asked)
    press(app, "Take away")
    _, command, lines = (each.value for each in app.code)
    monkeypatch.delenv("CIR_DATA_DIR")  # that of the app; a new shell does not know it
    found = json.loads(run_python(*shlex.split(command)[1:], "--json"))["hits"]
    names = [hit["metadata"].get("name") or PurePosixPath(hit["path"]).name for hit in found]
    assert names == titles(app)[:12]
    printed = run_python("-c", lines).splitlines()
    assert [line.split()[1] for line in printed] == [hit["path"] for hit in found]


def run_python(*arguments: str) -> str:
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, check=True, text=True
    ).stdout


def test_targets_are_marked_among_what_load_more_brought(index: str) -> None:
    app = search(ref=image_id("00.png"), instruction="in blue", limit="12")
    press(app, "Load more")
    app.toggle(key="mark_targets").set_value(True).run()
    next(each for each in app.checkbox if each.label == "Target: result 30").check().run()
    assert "1 target marked" in words(app)


def test_examples_are_of_the_index_and_ask(index: str) -> None:
    app = search(ref=image_id("00.png"))
    examples = [each.label for each in app.button if each.key and each.key.startswith("example ")]
    assert examples
    assert "in red" not in examples, "so it is already"
    press(app, examples[0])
    assert app.query_params["instruction"] == examples[0]
    assert not [each for each in app.button if each.key and each.key.startswith("example ")]
