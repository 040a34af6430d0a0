"""The Indexes page's logic, without a browser."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from cir.encoders.registry import load_encoder
from cir.indexing.folder import ingest
from cir.jobs.background import JOBS, Job, JobCancelled
from cir.progress import INDEXING, Progress
from cir.settings import load_settings
from cir.store import MilvusStore, exactness, index_store
from pages.parts.shell.session import UNLOCKED_KEY
from tests.cir.store.samples import as_made_before
from tests.drawn import content, draw_album, solid
from tests.pages.anew import start_anew
from tests.places import REPOSITORY

SECONDS = 60


@pytest.fixture
def album(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of six pictures and one broken file, which may be indexed."""
    monkeypatch.setenv("CIR_IMAGE_ROOTS", str(tmp_path))
    folder = draw_album(tmp_path / "album", kinds=1)
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


@pytest.fixture
def index(album: Path) -> str:
    settings = load_settings()
    store = MilvusStore(settings.index_uri, data_dir=settings.data_dir)
    ingest(store, album, "colours", load_encoder("compact"))
    store.close()
    return "colours"


def open_page() -> AppTest:
    app = AppTest.from_file(str(REPOSITORY / "streamlit_app.py"), default_timeout=SECONDS).run()
    return app.switch_page("pages/indexes.py").run()


def by_label(widgets: Any, label: str) -> Any:
    (found,) = [each for each in widgets if each.label == label]
    return found


def click(app: AppTest, label: str) -> AppTest:
    by_label(app.button, label).click()
    return app.run()


def finish(app: AppTest) -> AppTest:
    """Wait for the jobs, then look again."""
    for job in JOBS.all():
        job.wait(SECONDS)
    app.run()
    assert not app.exception
    return app


def names(app: AppTest) -> list[str]:
    tables = [each.value for each in app.dataframe if "Images" in each.value]
    return list(tables[0]["Name"]) if tables else []


def ask(app: AppTest, name: str, folder: Path | str) -> AppTest:
    by_label(app.text_input, "Name of the index").set_value(name)
    by_label(app.text_input, "Folder on the server").set_value(str(folder))
    return click(app, "Build the index")


def searches(app: AppTest) -> list[str]:
    """What the list says of the searches of each index."""
    return list(app.dataframe[0].value["Searches"])


def test_an_index_that_misses_images_is_rebuilt_by_a_button(
    index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page()
    assert searches(app) == ["exact"]
    assert "Rebuild" not in [button.label for button in app.button]
    store = index_store(load_settings())
    as_made_before(store.open(index))
    store.close()
    app.run()
    assert searches(app) == ["exact"], "so small an index misses nothing"
    monkeypatch.setattr(exactness, "LITE_AUTO_IMAGES", 5)
    app.run()
    assert searches(app) == ["misses images"]
    search = app.switch_page("pages/search.py").run()
    assert "miss some of the nearest images" in search.warning[0].value
    app = finish(click(app.switch_page("pages/indexes.py").run(), "Rebuild"))
    assert "Rebuilt “colours”" in app.success[0].value and "exact" in app.success[0].value
    assert searches(app) == ["exact"]
    assert "Rebuild" not in [button.label for button in app.button]
    assert index_store(load_settings()).open(index).info.exact


def test_an_index_without_its_words_gets_them(index: str) -> None:
    store = index_store(load_settings())
    store.open(index).update(columns={"colour": "string"})  # as a table that was sent later does
    store.close()
    app = open_page()
    assert any("made without its words" in each.value for each in app.caption)
    finish(click(app, "Rebuild"))
    opened = index_store(load_settings()).open(index)
    assert opened.words_state == "available" and opened.count() == 6


def test_a_folder_becomes_an_index(album: Path) -> None:
    app = open_page()
    assert "There is no index yet" in app.info[0].value
    assert names(app) == []
    app = finish(ask(app, "my *colours*", album))
    assert names(app) == ["my *colours*"]
    assert app.dataframe[0].value["Images"].tolist() == [6]
    assert "6 added, 1 failed" in app.success[0].value
    assert any("broken" in each.value and "not an image" in each.value for each in app.markdown)
    assert by_label(app.text_input, "Name of the index").value == "", "the form is empty again"
    click(app, "Dismiss")
    assert not app.success


@pytest.mark.parametrize(
    ("name", "folder", "sentence"),
    [
        ("", "{album}", "Give the index a name"),
        ("x", "", "Name the folder"),
        ("x", "/", "is not below"),
        ("x", "{album}/none", "There is no folder"),
        ("colours", "{album}", "already an index “colours”"),
    ],
)
def test_what_is_missing_is_one_sentence(
    index: str, album: Path, name: str, folder: str, sentence: str
) -> None:
    app = ask(open_page(), name, folder.format(album=album))
    assert sentence in app.error[0].value.replace("\\", "")
    assert JOBS.all() == []


def test_a_zip_with_a_metadata_file_becomes_an_index(album: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x/red.png", content(solid("red")))
        archive.writestr("x/read me.txt", "words")
    app = open_page()
    app.radio[0].set_value("A zip to upload").run()
    by_label(app.text_input, "Name of the index").set_value("zipped")
    uploader = by_label(app.file_uploader, "Zip of images")
    uploader.upload("x.zip", buffer.getvalue(), "application/zip")
    table = by_label(app.file_uploader, "Metadata file (optional)")
    table.upload("t.csv", b"file,colour\nred.png,red\n", "text/csv")
    app = finish(click(app, "Build the index"))
    assert not app.error
    assert "Metadata for 1 images" in app.success[0].value.replace("\\", "")
    assert "1 files in the zip are no images" in app.success[0].value
    assert app.dataframe[0].value["Source"].tolist() == ["uploaded images"]


def test_nothing_uploaded_is_one_sentence(album: Path) -> None:
    app = open_page()
    app.radio[0].set_value("Images to upload").run()
    by_label(app.text_input, "Name of the index").set_value("x")
    click(app, "Build the index")
    assert "nothing to index yet" in app.error[0].value


def test_an_update_brings_in_new_images_and_prunes_gone_ones(index: str, album: Path) -> None:
    (album / "red.png").unlink()
    (album / "pink.png").write_bytes(content(solid("pink")))
    app = open_page()
    by_label(app.checkbox, "Remove images whose file is gone").check()
    app = finish(click(app, "Update"))
    assert "1 added, 5 unchanged, 1 removed, 1 failed" in app.success[0].value


def test_the_column_of_titles_is_chosen(album: Path) -> None:
    lines = [f"{each.name},thing {n},{n}" for n, each in enumerate(sorted(album.iterdir()))]
    (album / "metadata.csv").write_text("\n".join(["file,name,text", *lines]))
    settings = load_settings()
    store = MilvusStore(settings.index_uri, data_dir=settings.data_dir)
    ingest(store, album, "colours", load_encoder("compact"))
    app = open_page()
    titles = by_label(app.selectbox, "Titles of results")
    assert titles.options == ["Found by itself: name", "file", "name", "text"]
    titles.set_value("text").run()
    assert not app.exception and store.open("colours").info.title_column == "text"
    store.open("colours").choose_title("")
    app.run()
    assert by_label(app.selectbox, "Titles of results").value == ""
    assert store.open("colours").info.title_column == ""


def test_only_the_name_drops_an_index(index: str, album: Path) -> None:
    app = click(open_page(), "Drop …")
    by_label(app.text_input, "Type the name of the index").set_value("colour")
    click(app, "Drop for good")
    assert "This is not the name" in app.error[0].value
    assert names(finish(app)) == [index]
    by_label(app.text_input, "Type the name of the index").set_value(index)
    app = finish(click(app, "Drop for good"))
    assert names(app) == []
    assert "Dropped “colours”" in app.success[0].value
    assert (album / "red.png").exists()


def test_a_cancelled_build_is_continued(album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tell = Job.tell

    def stop(job: Job, progress: Progress) -> None:
        if progress.stage == INDEXING and progress.done:
            raise JobCancelled

    monkeypatch.setattr(Job, "tell", stop)
    app = finish(ask(open_page(), "colours", album))
    monkeypatch.setattr(Job, "tell", tell)
    assert "stopped" in app.warning[0].value
    assert app.dataframe[0].value["State"].tolist() == ["incomplete"]
    by_key = next(each for each in app.button if each.key == "continue colours")
    by_key.click()
    app = finish(app.run())
    assert "6 unchanged" in app.success[0].value
    assert app.dataframe[0].value["State"].tolist() == ["ready"]


def test_a_running_job_is_shown_and_holds_the_buttons(index: str, album: Path) -> None:
    app = open_page()
    settings = load_settings()
    place = MilvusStore(settings.index_uri, data_dir=settings.data_dir).place

    def work(job: Job) -> None:
        job.failures.append(("a.png", "is broken"))
        while True:
            job.tell(Progress("Reading"))
            job._stop.wait(0.05)

    job = JOBS.start(f"index:{place}:{index}", "Updating", work)
    app.run()
    assert by_label(app.button, "Update").disabled
    assert by_label(app.button, "Drop …").disabled
    assert app.dataframe[0].value["State"].tolist() == ["being worked on"]
    assert any("is broken" in each.value for each in app.markdown)
    click(app, "Cancel")
    job.wait(SECONDS)
    assert job.state == "cancelled"


def test_read_only_shows_the_list_alone(index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIR_READ_ONLY", "1")
    start_anew()
    app = open_page()
    assert names(app) == [index]
    assert app.dataframe[0].value["Source"].tolist() == ["album"], "not the server's folders"
    assert not app.button
    assert not app.file_uploader
    assert "read-only" in app.caption[0].value


def test_without_the_admin_password_the_page_is_locked(
    index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIR_ADMIN_PASSWORD", "sesame")
    start_anew()
    app = open_page()
    assert names(app) == [index]
    assert "unlock this page" in app.caption[0].value
    assert [button.label for button in app.button] == ["Unlock"]
    app.session_state[UNLOCKED_KEY] = True  # what the right password does; see the browser test
    app.run()
    assert by_label(app.button, "Build the index")


def made_by_other_weights(name: str) -> None:
    store = index_store(load_settings())
    store.open(name).update(fingerprint="made by other weights")
    store.close()


def test_an_index_of_other_weights_is_encoded_anew_from_the_search_page(index: str) -> None:
    made_by_other_weights(index)
    app = open_page().switch_page("pages/search.py")
    app.query_params["instruction"] = "red"
    app.run()
    (told,) = [each.value for each in app.warning]
    assert "other weights of the encoder compact" in told and "Encode it anew" in told
    app = finish(click(app, "Encode anew"))
    app = finish(app.switch_page("pages/indexes.py").run())
    assert "6 images, in" in app.success[0].value
    app = app.switch_page("pages/search.py")
    app.query_params["instruction"] = "red"
    app.run()
    assert not app.warning and not app.error


def test_an_update_that_meets_other_weights_offers_to_encode_anew(index: str) -> None:
    made_by_other_weights(index)
    app = finish(click(open_page(), "Update"))
    assert "other weights of the encoder compact" in app.error[0].value
    assert names(app) == [index] and by_label(app.button, "Drop …")
    offered = [each for each in app.button if each.label == "Encode anew"]
    assert len(offered) == 2, "beside the error, and among what can be changed"
    offered[0].click()
    app = finish(app.run())
    assert "is an index of compact now" in app.success[0].value
    assert index_store(load_settings()).open(index).info.fingerprint != "made by other weights"


def test_who_may_not_change_is_told_alone(index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made_by_other_weights(index)
    monkeypatch.setenv("CIR_READ_ONLY", "true")
    start_anew()
    app = open_page().switch_page("pages/search.py")
    app.query_params["instruction"] = "red"
    app.run()
    assert "Who manages this Recompose can encode it anew" in app.warning[0].value
    assert "Encode anew" not in [button.label for button in app.button]


def test_an_index_is_moved_by_a_choice_of_encoder(index: str) -> None:
    app = open_page()
    chosen = by_label(app.selectbox, "Encoder to move to")
    assert "compact, as it is now" in chosen.options
    chosen.set_value("compact").run()
    app = finish(click(app, "Encode anew"))
    assert "6 images, in" in app.success[0].value
