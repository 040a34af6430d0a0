"""Results as files: they open, hold what was found, and nothing that may not be read."""

import csv
import io
import zipfile
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from cir.encoders.registry import load_encoder
from cir.indexing.folder import ingest
from cir.search import exports
from cir.search.exports import contact_sheet, images_zip, results_csv, search_document
from cir.settings import Settings, load_settings
from cir.store import Hit, MilvusIndex, image_id, index_store

NAMES = ("blue.png", "sub/red.png")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("exports")
    return load_settings(data_dir=folder / "data", secrets_file=folder / "none")


@pytest.fixture(scope="module")
def index(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusIndex]:
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "sub").mkdir()
    Image.new("RGB", (600, 400), "red").save(folder / "sub" / "red.png")
    Image.new("RGB", (300, 400), "blue").save(folder / "blue.png")
    store = index_store(settings)
    ingest(store, folder, "two", load_encoder("compact"))
    yield store.open("two")
    store.close()


@pytest.fixture
def hits(index: MilvusIndex) -> list[Hit]:
    return [
        Hit(image_id(name), name, 0.5 - at / 10, {"name": f"thing {at}"})
        for at, name in enumerate(NAMES)
    ]


def unpacked(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_table_has_a_row_a_result_and_no_formula() -> None:
    hits = [
        Hit("0" * 32, "=1+1.png", 0.25, {"path": "x", "price": -1.5}),
        Hit("1" * 32, "\udcff.png", -0.5, {"path": "\ud800"}),
    ]
    results_csv(hits, ("path", "price")).encode()
    heads, first, second = csv.reader(io.StringIO(results_csv(hits, ("path", "price"))))
    assert heads == ["rank", "id", "path", "score", "metadata.path", "price"]
    assert first == ["1", "0" * 32, "'=1+1.png", "0.250000", "x", "-1.5"]
    assert second[2:] == ["�.png", "-0.500000", "�", ""]


def test_a_document_holds_what_was_asked_and_found(index: MilvusIndex, hits: list[Hit]) -> None:
    document = search_document(index.info, {"text": "in red"}, hits, far=True)
    assert (document["index"], document["query"]) == ("two", {"text": "in red"})
    assert document["close"] is False
    assert "group_size" not in document["hits"][0]
    assert [hit["path"] for hit in document["hits"]] == list(NAMES)


def test_a_zip_holds_the_originals_where_they_may_be_read(
    index: MilvusIndex, hits: list[Hit], settings: Settings
) -> None:
    files = unpacked(images_zip(index, hits, settings, local=True))
    assert list(files) == ["0001 blue.png", "0002 red.png", "files.csv"]
    assert Image.open(io.BytesIO(files["0002 red.png"])).size == (600, 400)
    others = unpacked(images_zip(index, hits, settings, local=False))
    assert list(others) == ["0001 blue.jpg", "0002 red.jpg", "files.csv"]
    assert Image.open(io.BytesIO(others["0002 red.jpg"])).size == (256, 171)
    assert b"2,0002 red.jpg,True,sub/red.png" in others["files.csv"]


def test_a_zip_is_bounded(
    index: MilvusIndex, hits: list[Hit], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "MAX_ZIP_BYTES", 1)
    files = unpacked(images_zip(index, hits, settings, local=True))
    assert list(files) == ["0001 blue.jpg", "0002 red.jpg", "files.csv"]
    monkeypatch.setattr(exports, "MAX_ZIP_IMAGES", 1)
    assert len(unpacked(images_zip(index, hits, settings, local=True))) == 2


def test_a_contact_sheet_is_a_picture_of_the_results(index: MilvusIndex, hits: list[Hit]) -> None:
    titles = ["a blue thing", "a name that is much too long to stand under a picture" * 3]
    sheet = Image.open(io.BytesIO(contact_sheet(index, hits, titles, "in red")))
    assert sheet.format == "PNG"
    pixels = np.asarray(sheet.convert("RGB"), dtype=int).reshape(-1, 3)
    for colour in ((255, 0, 0), (0, 0, 255)):
        assert (abs(pixels - colour).max(axis=1) < 20).any()


def test_an_image_that_is_gone_is_left_out(index: MilvusIndex, settings: Settings) -> None:
    gone = [Hit(image_id("gone.png"), "gone.png", 0.1)]
    assert list(unpacked(images_zip(index, gone, settings, local=True))) == ["files.csv"]
    assert contact_sheet(index, gone, ["gone"], "").startswith(b"\x89PNG")
