"""Encoders on the pages: what is ready, what a download needs, what a searcher is told."""

import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from cir.encoders import registry
from cir.encoders.registry import encoder_specs, load_encoder, open_names
from cir.indexing.folder import ingest
from cir.jobs.background import JOBS
from cir.progress import Progress
from cir.settings import load_settings
from cir.store import MilvusStore
from tests.drawn import draw_album
from tests.needs import needs
from tests.pages.indexes.test_page import SECONDS, by_label, click, finish, names, open_page
from tests.places import REPOSITORY

needs("torch", "torch comes with requirements.txt")
GOLDEN = REPOSITORY / "tests" / "cir" / "encoders" / "golden"
NAME = "visualized-bge-base"
FILE = "Visualized_base_en_v1.5.pth"


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file of the hub's cache, and none that could be fetched."""
    monkeypatch.setattr("cir.encoders.weights._cached", lambda repository, file: None)
    registry._loaded.cache_clear()


@pytest.fixture
def album(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CIR_IMAGE_ROOTS", str(tmp_path))
    return draw_album(tmp_path / "album", kinds=1)


def put_by_hand(folder: Path) -> None:
    """The tiny checkpoint as a person would put the published one there."""
    folder.mkdir(parents=True)
    (folder / FILE).write_bytes((GOLDEN / "tiny-base.pth").read_bytes())
    for path in (GOLDEN / "tiny-base-tokenizer").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())


def index(album: Path) -> None:
    encoder = load_encoder(
        NAME, GOLDEN / "tiny-base.pth", GOLDEN / "tiny-base-tokenizer", device="cpu"
    )
    settings = load_settings()
    store = MilvusStore(settings.index_uri, data_dir=settings.data_dir)
    ingest(store, album, "tiny", encoder)
    store.close()


def search(text: str) -> AppTest:
    app = AppTest.from_file(str(REPOSITORY / "streamlit_app.py"), default_timeout=SECONDS)
    app.query_params["instruction"] = text
    app.run()
    assert not app.exception
    return app


def ask(app: AppTest, folder: Path) -> AppTest:
    by_label(app.text_input, "Name of the index").set_value("large")
    by_label(app.text_input, "Folder on the server").set_value(str(folder))
    by_label(app.selectbox, "Encoder").set_value(NAME)
    return app


def test_the_table_says_what_each_encoder_is(album: Path) -> None:
    table = open_page().dataframe[0].value
    forms = [form for form, _ in open_names()]
    assert table["Name"].tolist() == [*encoder_specs(), *forms]
    row = table.set_index("Name").loc[NAME]
    assert row["State"] == "download of 393 MB"
    assert (row["Dimensions"], row["Parameters"], row["Licence"]) == (768, 196_335_873, "MIT")
    assert row["Recommended for"] == "the tutorial's encoder"
    assert table.set_index("Name").loc["compact"]["State"] == "ready"


def test_without_the_packages_the_table_says_what_to_install(
    album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cir.encoders.registry._missing", lambda family: list(family.packages))
    app = open_page()
    states = app.dataframe[0].value.set_index("Name")["State"]
    assert states[NAME] == "needs requirements.txt" and states["compact"] == "ready"
    assert len(by_label(app.selectbox, "Encoder").options) == 1
    assert "Download" not in " ".join(each.label for each in app.checkbox)


def test_a_download_must_be_allowed(album: Path) -> None:
    app = open_page()
    offered = by_label(app.selectbox, "Encoder").options
    assert offered[0] == f"compact (ready): {encoder_specs()['compact'].recommended_for}"
    assert f"{NAME} (download of 393 MB): the tutorial's encoder" in offered
    click(ask(app, album), "Build the index")
    error = app.error[0].value.replace("\\", "")
    assert f"The encoder {NAME} is not on this machine: allow its download" in error
    assert JOBS.all() == []


def test_an_allowed_download_shows_its_progress(
    album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stay = True

    def fetch(choice: object, tell: object) -> None:
        while stay:
            assert callable(tell)
            tell(Progress(f"Downloading {FILE} (MB)", 120, 393, rate=12.0, remaining=23.0))
            time.sleep(0.02)

    monkeypatch.setattr("cir.jobs.indexes.fetch", fetch)
    app = ask(open_page(), album)
    by_label(app.checkbox, "Download the encoder first, where it is not ready").check()
    click(app, "Build the index")
    (job,) = JOBS.all()
    end = time.monotonic() + SECONDS
    while job.progress is None and time.monotonic() < end:
        time.sleep(0.02)
    app.run()
    shown = str(app.get("progress")[0].proto.text).replace("\\", "")
    assert shown == f"Downloading {FILE} (MB): 120 of 393 · 12/s · 23 s left"
    click(app, "Cancel")
    stay = False
    app = finish(app)
    assert "stopped before the first image" in app.warning[0].value
    assert "large" not in names(app)


def test_files_put_by_hand_make_an_encoder_ready(album: Path, data_dir: Path) -> None:
    put_by_hand(data_dir / "weights" / NAME)
    app = open_page()
    assert f"{NAME} (ready): the tutorial's encoder" in by_label(app.selectbox, "Encoder").options
    app = finish(click(ask(app, album), "Build the index"))
    assert "6 added" in app.success[0].value
    assert app.dataframe[0].value["Encoder"].tolist() == [NAME]


def test_a_long_instruction_is_noted(album: Path) -> None:
    index(album)
    app = search(" ".join(["tok200"] * 400))
    assert "its end was not read" in app.warning[0].value
    assert not search("tok200").warning


def test_another_precision_is_noted(album: Path) -> None:
    index(album)
    assert not search("tok200").info
    settings = load_settings()
    store = MilvusStore(settings.index_uri, data_dir=settings.data_dir)
    store.open("tiny").update(precision="fp16")  # as a GPU would have made it
    store.close()
    note = search("tok200").info[0].value
    assert "was made in fp16 precision, this encoder computes in exact" in note


def test_weights_that_are_gone_are_a_sentence(album: Path) -> None:
    index(album)
    settings = load_settings()
    store = MilvusStore(settings.index_uri, data_dir=settings.data_dir)
    store.open("tiny").update(weights=str(album / "gone.pth"))
    store.close()
    error = search("tok200").error[0].value.replace("\\", "")
    assert "There are no weights at" in error and "Put back what was there" in error
