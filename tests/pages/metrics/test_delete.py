"""Deleting on the metrics page, without a browser."""

from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from eval.sets.own import keep_set, kept_sets
from pages.parts.metrics.delete import SET_KEY
from tests.eval.uploads import document
from tests.places import REPOSITORY

SECONDS = 60
SET = [
    ("queries.jsonl", b'{"_id": "q", "image": "a.png", "text": "in red"}'),
    ("test.tsv", b"query-id\tcorpus-id\tscore\nq\tb.png\t1\n"),
]


def put_run(data_dir: Path, name: str, content: bytes) -> None:
    folder = data_dir / "runs" / name
    folder.mkdir(parents=True)
    (folder / "run.json").write_bytes(content)


def open_page() -> AppTest:
    app = AppTest.from_file(str(REPOSITORY / "streamlit_app.py"), default_timeout=SECONDS).run()
    app.switch_page("pages/metrics.py").run()
    assert not app.exception
    return app


def press(app: AppTest, label: str) -> None:
    (found,) = [each for each in app.button if each.label.replace("\\", "") == label]
    found.click().run()
    assert not app.exception


def labels(app: AppTest) -> list[str]:
    return [each.label for each in app.button]


def runs(data_dir: Path) -> list[str]:
    return sorted(path.name for path in (data_dir / "runs").iterdir())


def test_a_run_is_deleted_after_a_question(data_dir: Path) -> None:
    put_run(data_dir, "new", document())
    put_run(data_dir, "old", document(date="2025-01-01T00:00:00+00:00"))
    app = open_page()
    press(app, "Delete this run …")
    assert runs(data_dir) == ["new", "old"]
    assert any("The run **new** will be gone" in each.value for each in app.markdown)
    press(app, "Keep")
    assert "Delete for good" not in labels(app)
    press(app, "Delete this run …")
    press(app, "Delete for good")
    assert runs(data_dir) == ["old"]
    assert app.dataframe[0].value["Run"].tolist() == ["old"]


def test_a_damaged_run_can_be_deleted(data_dir: Path) -> None:
    put_run(data_dir, "*broken*", b"{")
    app = open_page()
    press(app, "Delete *broken* …")
    press(app, "Delete for good")
    assert runs(data_dir) == []
    assert "There is no run yet." in app.markdown[0].value


def test_an_uploaded_set_is_deleted_and_another_chosen(data_dir: Path) -> None:
    kept = keep_set(SET, data_dir)
    app = open_page()
    app.selectbox(key=SET_KEY).set_value(kept.name).run()
    press(app, "Delete this set …")
    press(app, "Delete for good")
    assert kept_sets(data_dir) == {}
    assert app.selectbox(key=SET_KEY).value == "sample"


@pytest.mark.parametrize("lock", [{"CIR_READ_ONLY": "1"}, {"CIR_ADMIN_PASSWORD": "sesame"}])
def test_a_locked_page_offers_no_deletion(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, lock: dict[str, Any]
) -> None:
    put_run(data_dir, "new", document())
    put_run(data_dir, "broken", b"{")
    for name, value in lock.items():
        monkeypatch.setenv(name, value)
    app = open_page()
    assert not [label for label in labels(app) if "Delete" in label]


def test_what_was_locked_meanwhile_is_refused(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_run(data_dir, "new", document())
    monkeypatch.setenv("CIR_ADMIN_PASSWORD", "sesame")
    app = open_page()
    app.session_state["unlocked"] = True
    app.run()
    press(app, "Delete this run …")
    app.session_state["unlocked"] = False
    press(app, "Delete for good")
    assert "read-only" in app.error[0].value.replace("\\", "")
    assert runs(data_dir) == ["new"]
