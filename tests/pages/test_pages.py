"""Each page's logic, without a browser."""

import json
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from cir.encoders.registry import load_encoder
from cir.indexing.folder import ingest
from cir.settings import load_settings
from cir.store import MilvusStore, index_store
from tests.places import REPOSITORY

SECONDS = 60


@pytest.fixture
def index(data_dir: Path, tmp_path: Path) -> str:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for colour in ("red", "green", "blue"):
        Image.new("RGB", (40, 60), colour).save(folder / f"{colour}.png")
    settings = load_settings()
    store = MilvusStore(settings.index_uri, data_dir=settings.data_dir)
    ingest(store, folder, "colours", load_encoder("compact"))
    store.close()
    return "colours"


def open_app() -> AppTest:
    app = AppTest.from_file(str(REPOSITORY / "streamlit_app.py"), default_timeout=SECONDS).run()
    assert not app.exception
    return app


def test_without_an_index_the_search_page_says_what_to_do(data_dir: Path) -> None:
    app = open_app()
    assert "nothing to search in yet" in app.markdown[0].value
    assert [button.label for button in app.button] == ["Build the sample catalogue"]


def test_an_empty_query_asks_for_one(index: str) -> None:
    app = open_app()
    assert app.selectbox[0].value == index
    assert "Paste a picture" in app.markdown[1].value
    assert index in app.markdown[0].value, "the name of the index is in view"
    assert [button.label for button in app.button].count("Search with this") == 3


def test_a_text_finds_images(index: str) -> None:
    app = open_app()
    app.chat_input[0].set_value("a red one").run()
    assert not app.exception
    assert not app.error
    shown = " ".join(each.value for each in app.markdown)
    assert all(f"{colour}\\.png" in shown for colour in ("red", "green", "blue"))


def test_the_page_says_that_the_index_loads_and_only_then(
    index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    spinner = st.spinner

    def telling(text: str, **options: Any) -> Any:
        told.append(text)
        return spinner(text, **options)

    monkeypatch.setattr(st, "spinner", telling)
    app = open_app()
    assert told == ["Loading the index"]
    app.chat_input[0].set_value("a red one").run()
    app.chat_input[0].set_value("a blue one").run()
    assert told.count("Loading the index") == 1
    index_store(load_settings()).close()
    app.chat_input[0].set_value("a green one").run()
    assert not app.exception
    assert told.count("Loading the index") == 2


def test_an_uploaded_image_leaves_its_own_copy_out(index: str, tmp_path: Path) -> None:
    app = open_app()
    content = (tmp_path / "pictures" / "red.png").read_bytes()
    app.chat_input[0].upload("other name.png", content, "image/png").run()
    assert not app.exception
    shown = " ".join(each.value for each in app.markdown)
    assert "green\\.png" in shown
    assert "red\\.png" not in shown


def test_a_broken_upload_is_one_sentence(index: str) -> None:
    app = open_app()
    app.chat_input[0].upload("x.png", b"no picture", "image/png").run()
    assert not app.exception
    assert "not an image of a known format" in app.error[0].value
    assert app.chat_input, "the rest of the page stays"
    assert not app.query_params.get("ref")
    app.run()
    assert not app.error, "it is said once"


def test_an_index_of_an_absent_encoder_is_one_sentence(index: str) -> None:
    settings = load_settings()
    store = MilvusStore(settings.index_uri, data_dir=settings.data_dir)
    store.create(
        "other",
        kind="index",
        encoder="unheard",
        fingerprint="f" * 64,
        precision="exact",
        weights=None,
        dim=8,
        source=None,
        columns={},
    ).update(state="ready")
    store.close()
    app = open_app()
    app.selectbox[0].set_value("other").run()
    app.chat_input[0].set_value("a red one").run()
    assert not app.exception
    assert "was made by the encoder unheard" in app.error[0].value


def test_an_unreachable_server_is_one_sentence(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIR_MILVUS_URI", "http://127.0.0.1:9")
    app = open_app()
    assert not app.error
    (state,) = app.info
    assert "127" in state.value and "Traceback" not in state.value
    assert "Check CIR\\_MILVUS\\_URI" in app.caption[0].value
    assert not app.button, "nothing is offered that needs Milvus"
    app.switch_page("pages/metrics.py").run()
    assert "There is no run yet" in app.markdown[0].value


def test_the_indexes_page_lists_indexes(index: str) -> None:
    app = open_app().switch_page("pages/indexes.py").run()
    assert not app.exception
    assert app.dataframe[0].value["Name"].tolist() == [index]
    assert app.dataframe[0].value["Images"].tolist() == [3]


def test_the_metrics_page_lists_runs(data_dir: Path) -> None:
    run = data_dir / "runs" / "dev-1"
    run.mkdir(parents=True)
    figures = {"recall@1": 0.5, "recall@10": 0.9, "mrr": 0.6}
    document = {"set": "dev", "encoder": "compact", "queries": 2, "metrics": figures}
    (run / "run.json").write_text(json.dumps(document))
    (data_dir / "runs" / "broken").mkdir()
    (data_dir / "runs" / "broken" / "run.json").write_text("{")
    app = open_app().switch_page("pages/metrics.py").run()
    assert not app.exception
    assert app.dataframe[0].value["Run"].tolist() == ["dev-1"]
    assert app.dataframe[0].value["recall@10"].tolist() == [0.9]
