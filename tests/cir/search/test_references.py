"""Which picture of an indexed image serves as reference."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from cir.encoders.registry import load_encoder
from cir.errors import ImageError, UsageError
from cir.images import content_hash
from cir.indexing.folder import ingest
from cir.search.references import indexed_reference, neighbours, uploaded_reference
from cir.settings import Settings, load_settings
from cir.store import MilvusIndex, MilvusStore, image_id, index_store

KEY = image_id("red.png")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path / "data", secrets_file=tmp_path / "none")


@pytest.fixture
def store(settings: Settings) -> Iterator[MilvusStore]:
    store = index_store(settings)
    yield store
    store.close()


@pytest.fixture
def index(store: MilvusStore, tmp_path: Path) -> MilvusIndex:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (600, 400), "red").save(folder / "red.png")
    ingest(store, folder, "one", load_encoder("compact"))
    return store.open("one")


def test_the_original_serves_where_it_may_be_read(index: MilvusIndex, settings: Settings) -> None:
    reference = indexed_reference(index, KEY, settings, local=True)
    assert (reference.image.size, reference.is_thumbnail) == ((600, 400), False)
    assert reference.name == "red.png"


def test_outside_of_the_roots_the_thumbnail_serves(
    index: MilvusIndex, settings: Settings, tmp_path: Path
) -> None:
    for closed, local in (
        (settings, False),
        (replace(settings, image_roots=(tmp_path / "elsewhere",)), True),
    ):
        reference = indexed_reference(index, KEY, closed, local=local)
        assert (max(reference.image.size), reference.is_thumbnail) == (256, True)
    opened = replace(settings, image_roots=(tmp_path,))
    assert not indexed_reference(index, KEY, opened, local=False).is_thumbnail


def test_a_file_that_changed_since_is_not_the_reference(
    index: MilvusIndex, settings: Settings, tmp_path: Path
) -> None:
    Image.new("RGB", (600, 400), "blue").save(tmp_path / "pictures" / "red.png")
    assert indexed_reference(index, KEY, settings, local=True).is_thumbnail


def test_an_id_that_is_not_there_is_an_error(index: MilvusIndex, settings: Settings) -> None:
    with pytest.raises(UsageError, match="no longer"):
        indexed_reference(index, "0" * 32, settings, local=True)


def test_an_upload_that_is_no_image_is_named() -> None:
    with pytest.raises(ImageError, match=r"x\.png: .*Choose another"):
        uploaded_reference("x.png", b"text")


def test_an_upload_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (8, 8), "red").save(path)
    data = path.read_bytes()
    assert uploaded_reference("b.png", data).content_hash == content_hash(data)


def test_an_upload_has_the_limit_that_its_widget_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cir.search.references.MAX_BYTES", 2**20)
    with pytest.raises(ImageError, match=r"big.png: the file is larger than 1 MB"):
        uploaded_reference("big.png", bytes(2**20 + 1))


def test_neighbours_are_like_an_image_and_no_copy_of_it(store: MilvusStore, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, colour in (("a", "red"), ("copy of a", "red"), ("b", "#f01010"), ("c", "blue")):
        Image.new("RGB", (60, 40), colour).save(folder / f"{name}.png")
    ingest(store, folder, "four", load_encoder("compact"))
    index = store.open("four")
    near = neighbours(index, image_id("a.png"))
    assert [hit.path for hit in near] == ["b.png", "c.png"]
    assert near[0].score > near[1].score
    assert len(neighbours(index, image_id("a.png"), 1)) == 1
    with pytest.raises(UsageError):
        neighbours(index, "0" * 32)
