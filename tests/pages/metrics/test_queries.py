"""The single queries of a run, comparisons and downloads on the metrics page, without a browser."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

import eval as bench
from cir.encoders.registry import load_encoder
from cir.indexing.folder import ingest
from cir.settings import load_settings
from cir.store import index_store
from tests.eval.uploads import TABLE, document
from tests.pages.metrics.test_page import button, choose, open_page, put_run, words

QUERIES = [
    {"_id": "q1", "image": "red.png", "text": "in *blue*", "group": "colour"},
    {"_id": "q2", "image": "green.png", "text": "in orange", "group": "other"},
]
QRELS = "query-id\tcorpus-id\tscore\nq1\tblue.png\t1\nq2\torange.png\t1\n"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for colour in ("red", "green", "blue", "orange", "black"):
        Image.new("RGB", (40, 60), colour).save(folder / f"{colour}.png")
    return folder


@pytest.fixture
def made(data_dir: Path, tmp_path: Path, pictures: Path) -> Path:
    """The labelled set of a run that is there."""
    labelled = tmp_path / "tiny"
    (labelled / "qrels").mkdir(parents=True)
    (labelled / "queries.jsonl").write_text("\n".join(map(json.dumps, QUERIES)))
    (labelled / "qrels" / "test.tsv").write_text(QRELS)
    bench.run(labelled, gallery=pictures, ablations=True)
    return labelled


def pick(app: AppTest, label: str, option: str | int | None) -> None:
    next(each for each in app.selectbox if each.label == label).set_value(option).run()
    assert not app.exception


def listed(app: AppTest) -> list[str]:
    found: list[str] = app.dataframe[1].value["Query"].tolist()
    return found


def images(app: AppTest) -> list[str]:
    return [image.alt for each in app.get("image") for image in each.proto.imgs]


def test_a_query_is_shown_with_reference_results_and_targets(made: Path) -> None:
    app = open_page()
    assert sorted(listed(app)) == ["q1", "q2"]
    pick(app, "Group", "colour")
    assert listed(app) == ["q1"]
    shown = images(app)
    assert "Reference image: red.png" in shown
    assert "Target: blue.png" in shown
    assert sum(alt.startswith("Result ") for alt in shown) == 4
    assert next(alt for alt in shown if ", a target" in alt).endswith("blue.png")
    assert "in *blue*" in words(app)
    assert "first target at rank" in words(app)


def test_queries_are_found_by_words_and_compared_with_another_way_to_ask(made: Path) -> None:
    app = open_page()
    beside(app, "sum")
    assert {"Rank there", "Ranks won"} <= set(app.dataframe[1].value.columns)
    pick(app, "Order", "gained")
    app.text_input(key="metrics_query_text").set_value("ORANGE").run()
    assert listed(app) == ["q2"]
    assert "Sum: first target at rank" in words(app).replace("**", "")
    app.text_input(key="metrics_query_text").set_value("nothing").run()
    assert "No query meets the filters" in words(app)


def beside(app: AppTest, *modes: str) -> None:
    """Compare with other ways to ask of the run."""
    name = app.dataframe[0].value["Run"].tolist()[0]
    picker = next(each for each in app.multiselect if each.label == "Compared with")
    picker.set_value([f"{name}:{mode}" for mode in modes]).run()
    assert not app.exception


def test_four_ways_to_ask_stand_side_by_side(made: Path) -> None:
    app = open_page()
    beside(app, "image", "text", "sum")
    assert {"Rank there", "Rank, Text only", "Rank, Sum"} <= set(app.dataframe[1].value.columns)
    said = words(app).replace("**", "")
    for title in ("Composed", "Image only", "Text only", "Sum"):
        assert f"{title}: " in said
    assert sum(alt.startswith("Result ") for alt in images(app)) == 4 * 4


def test_a_query_opens_in_search_only_where_its_images_are_indexed(
    made: Path, pictures: Path
) -> None:
    assert button(open_page(), "Open in search") is None
    store = index_store(load_settings())
    ingest(store, pictures, "colours", load_encoder("compact"))
    store.close()
    app = open_page()
    next(each for each in app.button if each.label == "Open in search").click().run()
    assert not app.exception
    assert app.query_params["index"] == "colours"
    assert len(app.query_params["ref"]) == 32
    assert app.query_params["instruction"] in {"in *blue*", "in orange"}


def test_without_the_labelled_set_ranks_are_left(made: Path) -> None:
    (made / "queries.jsonl").unlink()
    app = open_page()
    assert "There are ranks alone: There is no file" in words(app)
    assert sorted(listed(app)) == ["q1", "q2"]
    assert not images(app)


def test_everything_can_be_taken_away(made: Path) -> None:
    labels = [each.proto.label for each in open_page().get("download_button")]
    tables = [f"Figures ({kind})" for kind in ("CSV", "Markdown", "LaTeX")]
    curves = ["Curves (SVG)", "Curves (PNG)"]
    for label in (*tables, *curves, "Report (HTML)", "Rankings (TREC)"):
        assert label in labels
    assert "These queries (CSV)" in labels


def test_two_runs_are_compared_in_words(data_dir: Path) -> None:
    better = [f"q{number},,{1 + number % 3},2" for number in range(40)]
    worse = [f"q{number},,{20 if number < 30 else 1},2" for number in range(40)]
    for name, lines, date in (("new", better, "2026-02-01"), ("old", worse, "2026-01-01")):
        table = "\n".join(["id,group,composed,sum", *lines]) + "\n"
        put_run(data_dir, name, document(queries=40, date=f"{date}T00:00:00+00:00"), table)
    app = open_page()
    choose(app, [0, 1])
    said = words(app).replace("\u2060", "")
    assert "new is ahead of old in recall@10 by 75.0 points" in said
    assert "30 queries got better, 0 worse, 10 stayed" in said
    assert "unlikely by chance" in said
    assert "With 40 queries only large differences can show" in said
    pick(app, "Compare with", "new")
    assert "old is behind new in recall@10 by 75.0 points" in words(app)


def test_runs_without_their_tables_have_figures_and_no_statistics(data_dir: Path) -> None:
    put_run(data_dir, "new", document(), table=None)
    put_run(data_dir, "old", document(date=None), TABLE)
    app = open_page()
    choose(app, [0, 1])
    assert app.dataframe[1].value["Run"].tolist() == ["new", "old"]
    assert "There are no statistics" in words(app)


def test_a_public_host_shows_queries_by_their_thumbnails(
    made: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for picture in pictures.iterdir():
        picture.unlink()
    monkeypatch.setenv("CIR_READ_ONLY", "true")
    monkeypatch.setenv("CIR_IMAGE_ROOTS", str(tmp_path / "elsewhere"))
    app = open_page()
    assert any(alt.startswith("Reference image: ") for alt in images(app))
    assert button(app, "Delete this run …") is None


def test_shortcuts_are_told_and_queries_filtered_by_what_solves_them(data_dir: Path) -> None:
    table = (
        "id,group,composed,image,text,sum\n"
        "a,colour,1,1,30,1\n"  # the picture alone, up to rank 1
        "b,type,2,30,,40\n"  # only composing, from rank 2
    )
    put_run(data_dir, "run", document(), table)
    app = open_page()
    assert "1 of 2 queries (50.0%) are solved by the image or the text alone at rank 10" in words(
        app
    )
    assert sorted(listed(app)) == ["a", "b"]
    assert app.dataframe[1].value["Solved by"].tolist() == ["Composing only", "Image only"]
    pick(app, "Solved by", "composed")
    assert listed(app) == ["b"]
    pick(app, "Solved within the first", 1)
    assert not [each for each in app.dataframe if "Query" in each.value]
    assert "No query meets the filters." in words(app)
    pick(app, "Solved by", "image")
    assert listed(app) == ["a"]


def test_without_ablations_nothing_is_said_of_shortcuts(data_dir: Path) -> None:
    put_run(data_dir, "run", document())
    app = open_page()
    assert "Shortcuts" not in [each.value for each in app.header]
    assert "Solved by" not in [each.label for each in app.selectbox]


def test_queries_are_listed_as_all_runs_of_the_set_see_them(data_dir: Path, made: Path) -> None:
    (run,) = (data_dir / "runs").iterdir()
    table = run / "queries.csv"
    header, first, second = table.read_text().splitlines()
    cells = first.split(",")
    cells[header.split(",").index("composed")] = "20"
    table.write_text("\n".join([header, ",".join(cells), second]) + "\n")
    shutil.copytree(run, data_dir / "runs" / "again")
    app = open_page()
    assert sorted(listed(app)) == ["q1", "q2"]
    pick(app, "Over all runs of the set", "hard")
    assert listed(app) == ["q1"]
    assert app.dataframe[1].value["All runs"].tolist() == [0]
    said = words(app).replace("\u2060", "")
    assert "2 runs, recall@10." in said
    assert "It takes 4 systems to say" in said
    assert "Reference image: red.png" in images(app)
    pick(app, "Over all runs of the set", "separating")
    assert "No query meets the filters." in words(app)
