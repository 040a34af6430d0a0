"""The metrics page's logic, without a browser."""

import json
import time
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Selectbox

from cir.encoders.registry import load_encoder
from cir.indexing.folder import ingest
from cir.jobs.background import JOBS, Job
from cir.progress import Progress
from cir.settings import load_settings
from cir.store import MilvusStore
from pages.parts.metrics.progress import KEY
from tests.eval.uploads import FIGURES, TABLE, document, zipped
from tests.places import REPOSITORY

SECONDS = 60


def put_run(data_dir: Path, name: str, content: bytes, table: str | None = TABLE) -> None:
    folder = data_dir / "runs" / name
    folder.mkdir(parents=True)
    (folder / "run.json").write_bytes(content)
    if table is not None:
        (folder / "queries.csv").write_text(table)


def open_page() -> AppTest:
    app = AppTest.from_file(str(REPOSITORY / "streamlit_app.py"), default_timeout=SECONDS).run()
    app.switch_page("pages/metrics.py").run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.info, app.success, app.warning, app.error)
    return " ".join(each.value for kind in kinds for each in kind).replace("\\", "")


def button(app: AppTest, label: str) -> object:
    return next((each for each in app.button if each.label == label), None)


def wait_for_job(app: AppTest) -> None:
    job = JOBS.get(KEY)
    assert job is not None
    job.wait(SECONDS)
    app.run()
    assert not app.exception


def labelled_folder(tmp_path: Path) -> tuple[Path, Path]:
    """A labelled set of one query, and its images."""
    pictures, labelled = tmp_path / "pictures", tmp_path / "tiny"
    pictures.mkdir()
    for colour in ("red", "green", "blue"):
        Image.new("RGB", (40, 60), colour).save(pictures / f"{colour}.png")
    (labelled / "qrels").mkdir(parents=True)
    query = {"_id": "q", "image": "red.png", "text": "in blue"}
    (labelled / "queries.jsonl").write_text(json.dumps(query))
    (labelled / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\tblue.png\t1\n")
    return labelled, pictures


def test_without_a_run_the_page_says_what_to_do(data_dir: Path) -> None:
    app = open_page()
    assert "There is no run yet." in words(app)
    assert "A labelled set is" in words(app)
    assert button(app, "Run the sample") is not None
    assert not app.dataframe


def test_runs_are_listed_and_damaged_ones_named(data_dir: Path) -> None:
    put_run(data_dir, "new", document())
    put_run(data_dir, "old", document(date="2025-01-01T00:00:00+00:00"))
    put_run(data_dir, "broken", b"{")
    app = open_page()
    assert app.dataframe[0].value["Run"].tolist() == ["new", "old"]
    assert app.dataframe[0].value["mrr"].tolist() == [0.6, 0.6]
    assert "cannot be read (1): broken" in words(app)


def test_the_newest_run_is_shown_in_full(data_dir: Path) -> None:
    put_run(data_dir, "new", document())
    app = open_page()
    figures = app.table[0].value
    assert figures.iloc[:, 0].tolist() == ["Composed", "Sum"]
    assert figures["recall@10"].tolist() == ["1.000", "0.500"]
    assert "Composing gains 50.0 points" in words(app)
    assert "the sum" in words(app)
    groups = app.table[1].value
    assert groups["Group"].tolist() == ["colour", "type"]
    assert groups["Sum"].tolist() == ["1.000", "0.000"]


def test_the_figures_can_be_those_of_one_group(data_dir: Path) -> None:
    put_run(data_dir, "new", document())
    app = open_page()
    picker = next(each for each in app.selectbox if each.label == "Queries")
    picker.set_value("type").run()
    assert not app.exception
    assert app.table[0].value["recall@1"].tolist() == ["0.000", "0.000"]
    assert app.table[0].value["recall@10"].tolist() == ["1.000", "0.000"]


def test_a_measure_that_is_full_for_all_does_not_say_that_composing_gains_nothing(
    data_dir: Path,
) -> None:
    table = "id,group,composed,sum\nq1,colour,1,2\nq2,type,1,3\n"
    put_run(data_dir, "new", document(), table)
    app = open_page()
    next(each for each in app.selectbox if each.label == "Queries").set_value("colour").run()
    assert "Composing gains 100.0 points. In recall@1" in words(app).replace("*", "")
    assert "recall@10 is full for both" in words(app)
    table = "id,group,composed,sum\nq1,colour,1,1\nq2,type,1,3\n"
    (data_dir / "runs/new/queries.csv").write_text(table)
    app = open_page()
    next(each for each in app.selectbox if each.label == "Queries").set_value("colour").run()
    assert "does not tell what composing brings" in words(app)


def test_any_measure_that_the_ranks_give_can_be_asked_for(data_dir: Path) -> None:
    put_run(data_dir, "new", document())
    app = open_page()
    assert "MRR: the mean of one over the rank of the first target." in words(app)
    app.text_input(key="metrics_measure").set_value("recall@3").run()
    assert not app.exception
    more = app.table[1].value
    assert (more["Measure"].tolist(), more["Composed"].tolist()) == (["recall@3"], ["0.500"])
    app.selectbox(key="metrics_group_measure").set_value("recall@3").run()
    assert app.table[2].value["Composed"].tolist() == ["1.000", "0.000"]
    app.text_input(key="metrics_measure").set_value("map@3").run()
    assert "map@3 was not measured. Name it under “Further measures” in a new run." in words(app)
    app.text_input(key="metrics_measure").set_value("recal@3").run()
    assert "Did you mean recall@3?" in words(app)


def test_a_loss_is_said_too(data_dir: Path) -> None:
    better = {**FIGURES, "recall@10": 0.4}
    put_run(data_dir, "new", document(metrics=better, modes={"sum": FIGURES}), table=None)
    app = open_page()
    assert "Composing loses 60.0 points" in words(app)
    assert "there are no curves" in words(app)
    assert app.table[1].value["Group"].tolist() == ["colour"]


def test_a_damaged_table_leaves_the_figures(data_dir: Path) -> None:
    put_run(data_dir, "new", document(), table="nonsense")
    app = open_page()
    assert "Curves and groups are left out" in words(app)
    assert app.table[0].value["recall@10"].tolist() == ["1.000", "0.500"]


def choose(app: AppTest, rows: list[int]) -> None:
    key = app.dataframe[0].key
    assert key is not None
    app.session_state[key] = {"selection": {"rows": rows, "columns": [], "cells": []}}
    app.run()
    assert not app.exception


def test_two_runs_of_one_set_stand_side_by_side(data_dir: Path) -> None:
    put_run(data_dir, "new", document())
    put_run(data_dir, "old", document(date=None, metrics={**FIGURES, "mrr": 0.25}))
    app = open_page()
    choose(app, [0, 1])
    assert app.dataframe[1].value["Run"].tolist() == ["new", "old"]
    assert app.dataframe[1].value["MRR"].tolist() == [0.6, 0.25]


def test_runs_are_compared_in_any_measure_that_the_ranks_give(data_dir: Path) -> None:
    put_run(data_dir, "later", document())
    put_run(data_dir, "first", document(date=None), TABLE.replace("b,type,6", "b,type,2"))
    app = open_page()
    choose(app, [0, 1])
    assert conclude_by(app).value == "recall@1"
    assert "recall@10 is full for all and tells nothing." in words(app)
    for typed in ("recall@3", "ndcg@3"):
        picker = conclude_by(app)
        picker.options.append(typed)  # the browser offers what somebody types
        picker.set_value(typed).run()
        assert not app.exception
        if typed == "recall@3":
            assert "later is behind first in recall@3 by 50.0 points" in words(app)
    assert "ndcg@3 was not measured. Name it under “Further measures”" in words(app)
    assert "same recall@1 on every query" in words(app)


def conclude_by(app: AppTest) -> Selectbox[str]:
    return next(each for each in app.selectbox if each.label == "Conclude by")


def test_runs_of_two_sets_are_not_compared(data_dir: Path) -> None:
    put_run(data_dir, "new", document())
    put_run(data_dir, "old", document(date=None, set="other"))
    app = open_page()
    choose(app, [0, 1])
    assert "new and old did not ask the same labelled set (dev, other" in words(app)
    assert not [each for each in app.dataframe[1:] if "Run" in each.value]


def upload(app: AppTest, name: str, content: bytes) -> None:
    uploader = next(each for each in app.file_uploader if each.label == "Run")
    uploader.upload(name, content, "application/octet-stream").run()
    assert not app.exception


def test_an_uploaded_run_is_shown_and_not_kept(data_dir: Path) -> None:
    put_run(data_dir, "new", document())
    app = open_page()
    upload(app, "mine.zip", zipped({"run.json": document(set="x"), "queries.csv": TABLE}))
    assert app.dataframe[0].value["Run"].tolist() == ["mine (opened)", "new"]
    assert any(each.value.startswith("x, encoder") for each in app.header)
    assert sorted(path.name for path in (data_dir / "runs").iterdir()) == ["new"]
    closing = next(each for each in app.button if each.label == "Close the opened runs")
    closing.click().run()
    assert app.dataframe[0].value["Run"].tolist() == ["new"]


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b"\xff"])
def test_a_wrong_upload_is_one_sentence(data_dir: Path, content: bytes) -> None:
    app = open_page()
    upload(app, "mine.json", content)
    assert app.error[0].value.replace("\\", "").startswith("mine.json cannot be opened")
    assert not app.dataframe


def test_names_are_shown_as_they_are(data_dir: Path) -> None:
    put_run(data_dir, "*bold*", document(set="a [link](x)"))
    app = open_page()
    assert app.header[1].value == "a \\[link\\]\\(x\\), encoder compact"
    assert not app.error


def test_read_only_shows_runs_and_makes_none(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIR_READ_ONLY", "true")
    app = open_page()
    assert "This Recompose is read-only" in words(app)
    assert button(app, "Run") is None
    assert button(app, "Run the sample") is None
    upload(app, "mine.json", document())
    assert app.dataframe[0].value["Run"].tolist() == ["mine (opened)"]
    assert not (data_dir / "runs").exists()


def fill(app: AppTest, labelled: Path, pictures: Path) -> None:
    app.selectbox(key="metrics_set").set_value("folder").run()
    app.text_input(key="metrics_set_folder").set_value(str(labelled))
    app.text_input(key="metrics_gallery").set_value(str(pictures))
    app.button(key="metrics_run").click().run()
    assert not app.exception


def test_folders_below_an_image_root_are_run(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIR_IMAGE_ROOTS", str(tmp_path))
    app = open_page()
    app.text_input(key="metrics_measures").set_value("recall@3, precision@2")
    fill(app, *labelled_folder(tmp_path))
    assert "There is no measure 'precision@2'" in words(app)
    app.text_input(key="metrics_measures").set_value("recall@3, map@2")
    app.button(key="metrics_run").click().run()
    wait_for_job(app)
    assert app.dataframe[0].value["Set"].tolist() == ["tiny"]
    assert app.table[1].value["Measure"].tolist()[-2:] == ["recall@3", "map@2"]
    assert app.table[0].value.iloc[:, 0].tolist() == ["Composed", "Image only", "Text only", "Sum"]


def test_an_uploaded_set_is_run_over_an_index_and_offered_again(
    data_dir: Path, tmp_path: Path
) -> None:
    labelled, pictures = labelled_folder(tmp_path)
    settings = load_settings()
    store = MilvusStore(settings.index_uri, data_dir=settings.data_dir)
    ingest(store, pictures, "colours", load_encoder("compact"))
    store.close()
    app = open_page()
    app.selectbox(key="metrics_set").set_value("upload").run()
    app.button(key="metrics_run").click().run()
    assert "Upload the labelled set first" in words(app)
    app.file_uploader(key="metrics_set_upload").set_value(
        [(path.name, path.read_bytes(), "text/plain") for path in labelled.rglob("*.*")]
    ).run()
    place = next(each for each in app.radio if each.label == "Search in")
    place.set_value("index").run()
    app.button(key="metrics_run").click().run()
    wait_for_job(app)
    assert app.dataframe[0].value["Set"].tolist() == ["uploaded"]
    assert "3 images of the index colours" in words(app)
    assert "uploaded (kept here)" in app.selectbox(key="metrics_set").options


def test_folders_elsewhere_are_refused(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIR_IMAGE_ROOTS", str(data_dir))
    app = open_page()
    fill(app, *labelled_folder(tmp_path))
    assert "only images there can be indexed" in words(app)
    assert JOBS.get(KEY) is None


def test_a_failed_evaluation_is_one_sentence(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIR_IMAGE_ROOTS", str(tmp_path))
    labelled, pictures = labelled_folder(tmp_path)
    (pictures / "blue.png").unlink()
    app = open_page()
    fill(app, labelled, pictures)
    wait_for_job(app)
    assert "with “Count absent images as never found”" in words(app)
    app.button(key="metrics_dismiss").click().run()
    assert not app.error


def test_progress_is_seen_by_another_session_and_the_job_can_be_cancelled(
    data_dir: Path,
) -> None:
    def work(job: Job) -> None:
        for _ in range(600):
            job.tell(Progress("Asking", 1, 4, rate=1.0, remaining=3.0))
            time.sleep(0.1)

    JOBS.start(KEY, "Evaluating: tiny", work)
    app = open_page()
    assert "Evaluating: tiny" in words(app)
    assert button(app, "Run") is None
    app.button(key="metrics_cancel").click().run()
    wait_for_job(app)
    assert "was cancelled; no run was kept" in words(app)


def test_a_run_gets_a_name_and_a_note(data_dir: Path) -> None:
    put_run(data_dir, "dev-2026", document())
    app = open_page()
    assert "Note" not in app.dataframe[0].value.columns
    next(each for each in app.text_input if each.label == "Name of this run").set_value("longer")
    app.text_area[0].set_value("with a longer *prompt*\nworse")
    app.button(key="FormSubmitter:metrics_naming dev-2026-Save").click().run()
    assert not app.exception
    assert app.dataframe[0].value["Run"].tolist() == ["longer"]
    assert app.dataframe[0].value["Note"].tolist() == ["with a longer *prompt*"]
    assert "with a longer *prompt*" in words(app)
    next(each for each in app.text_input if each.label == "Name of this run").set_value("a/b")
    app.button(key="FormSubmitter:metrics_naming longer-Save").click().run()
    assert "A run cannot be named 'a/b'" in words(app)


def test_quality_stands_against_time(data_dir: Path) -> None:
    for name, seconds, recall in (("fast", 1.0, 0.5), ("slow", 9.0, 0.9), ("worse", 9.5, 0.4)):
        figures = {**FIGURES, "recall@1": recall}
        told = {"encoding": seconds, "search": 0.1}
        content = document(metrics=figures, seconds=told, peak_memory=400_000_000)
        put_run(data_dir, name, content)
    app = open_page()
    choose(app, [0, 1, 2])
    said = words(app).replace("*", "")
    assert "No other run is both faster and better than fast, slow" in said
    took = app.table[0].value
    assert took["Peak memory"].tolist() == ["400 MB"] * 3
    assert len(set(took["Time a query"])) == 3
    labels = [each.proto.label for each in app.get("download_button")]
    assert {"Quality against time (PNG)", "Comparison (LaTeX)", "Curves (PNG)"} <= set(labels)
