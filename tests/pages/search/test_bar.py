"""The query bar, its chips and what refines, without a browser."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from cir.encoders.registry import load_encoder
from cir.errors import UsageError
from cir.fetching import Fetcher
from cir.indexing.folder import ingest
from cir.settings import load_settings
from cir.store import image_id, index_store
from tests.pages.anew import start_anew
from tests.pages.test_pages import index, open_app

__all__ = ["index"]


def search(text: str) -> AppTest:
    app = open_app()
    app.chat_input[0].set_value(text).run()
    assert not app.exception
    return app


def chips(app: AppTest) -> list[str]:
    return [each.label for each in app.button if each.key and each.key.startswith("away ")]


def test_a_new_sentence_takes_the_place_of_the_old_one(index: str) -> None:
    app = search("a red one")
    app.chat_input[0].set_value("a blue one").run()
    assert chips(app) == ["“a blue one”"]


def test_a_new_picture_takes_the_place_of_the_reference_and_the_sentence_stays(
    index: str, tmp_path: Path
) -> None:
    app = search("in blue")
    for colour in ("red", "green"):
        content = (tmp_path / "pictures" / f"{colour}.png").read_bytes()
        app.chat_input[0].upload(f"my {colour}.png", content, "image/png").run()
        assert not app.exception
        assert chips(app) == [f"my {colour}\\.png", "“in blue”"]


def test_several_pictures_are_asked_together(index: str) -> None:
    app = open_app()
    app.query_params["ref"] = [f"{image_id('red.png')}*0.5", image_id("green.png")]
    app.run()
    assert not app.exception
    assert not app.error
    assert chips(app) == ["red\\.png \\*0\\.5", "green\\.png"]
    found = [each.label for each in app.button if (each.key or "").startswith("open-")]
    assert found == ["blue\\.png"], "references are no results"


def test_a_chip_that_names_nothing_can_be_taken_away(index: str) -> None:
    app = open_app()
    app.query_params |= {"ref": "0" * 32, "instruction": "in blue"}
    app.run()
    assert "no longer in this index" in app.error[0].value
    app.button(key=f"away ref {'0' * 32}").click().run()
    assert not app.error
    assert chips(app) == ["“in blue”"]


def test_a_link_never_names_a_file(index: str, tmp_path: Path) -> None:
    for name in ("ref", "less_image"):
        app = open_app()
        app.query_params |= {name: str(tmp_path / "pictures" / "red.png"), "instruction": "red"}
        app.run()
        assert not app.exception
        assert len(app.error) == 1


def test_an_address_in_the_bar_is_fetched_where_that_is_allowed(
    index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = (tmp_path / "pictures" / "red.png").read_bytes()
    fetched: list[str] = []

    def fetch(_self: Fetcher, url: str) -> tuple[str, bytes]:
        fetched.append(url)
        return "red.png", content

    monkeypatch.setattr(Fetcher, "fetch", fetch)
    app = search("https://example.org/red.png in blue")
    assert not fetched, "this server may be reached by others"
    assert "fetches no pictures from the web" in app.error[0].value
    monkeypatch.setenv("CIR_FETCH_URLS", "true")
    start_anew()
    app = search("https://example.org/red.png in blue")
    assert fetched == ["https://example.org/red.png"]
    assert chips(app) == ["red\\.png", "“in blue”"]


def test_an_address_that_leads_nowhere_is_one_sentence(
    index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(_self: Fetcher, _url: str) -> tuple[str, bytes]:
        raise UsageError("example.org is no public host.")

    monkeypatch.setattr(Fetcher, "fetch", fetch)
    monkeypatch.setenv("CIR_FETCH_URLS", "true")
    app = search("https://example.org/red.png")
    assert [each.value for each in app.error] == ["example\\.org is no public host\\."]
    assert chips(app) == []


def test_a_link_to_an_index_that_is_not_there_says_so(index: str) -> None:
    app = open_app()
    app.query_params["index"] = "Nope"
    app.run()
    assert "There is no index “Nope” here; this is colours." in app.warning[0].value
    app.chat_input[0].set_value("a red one").run()
    assert not app.warning
    assert app.query_params["index"] == "colours"


def test_an_index_that_is_dropped_while_it_is_open_is_not_taken_for_another(
    index: str, tmp_path: Path
) -> None:
    store = index_store(load_settings())
    ingest(store, tmp_path / "pictures", "other", load_encoder("compact"))
    app = open_app()
    app.query_params["index"] = "other"
    app.run()
    assert not app.warning
    store.drop("other")
    store.close()
    app.run()
    assert "There is no index “other” here; this is colours." in app.warning[0].value


def test_the_address_brings_an_index_back(index: str, tmp_path: Path) -> None:
    ingest(index_store(load_settings()), tmp_path / "pictures", "other", load_encoder("compact"))
    app = search("a red one")
    app.selectbox[0].set_value("other").run()
    assert app.query_params["index"] == "other"
    assert chips(app) == ["“a red one”"], "words mean the same there"
    app.query_params["index"] = "colours"
    app.run()
    assert app.selectbox[0].value == "colours"
