"""The library as somebody uses it: `import cir`, a store, an index, a search."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cir
from tests.drawn import draw_album, save, solid
from tests.own_encoder import MeanColour


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures with metadata."""
    folder = draw_album(tmp_path_factory.mktemp("library") / "album", kinds=2)
    rows = "red,1\ngreen,2\nblue,3"
    (folder / "metadata.csv").write_text(f"file,number\n{rows}", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[cir.Store]:
    data = tmp_path_factory.mktemp("library data")
    store = cir.Store(data / "shop.db", data_dir=data)
    yield store
    store.close()


@pytest.fixture(scope="module")
def index(store: cir.Store, folder: Path) -> cir.Index:
    return store.index("shop", folder)


def paths(hits: list[cir.Hit]) -> list[str]:
    return [hit.path for hit in hits]


def test_a_folder_becomes_an_index_that_is_kept_up_to_date(
    store: cir.Store, index: cir.Index, folder: Path
) -> None:
    assert index.report is not None and index.report.added == 12
    again = store.index("shop", folder)
    assert again.report is not None and (again.report.added, again.report.unchanged) == (0, 12)
    assert [info.name for info in store.list()] == ["shop"]
    assert store.index("shop").report is None and store.index("shop").count() == 12


def test_the_reference_may_be_a_path_bytes_a_picture_or_an_id(
    index: cir.Index, folder: Path
) -> None:
    file = folder / "red.png"
    by_path = index.search(file, "in blue", limit=3)
    assert len(by_path) == 3 and all(-1 <= hit.score <= 1 for hit in by_path)
    assert "red.png" not in paths(index.search(file, limit=12))  # it is no result of its own
    for image in (str(file), file.read_bytes(), cir.image_id("red.png")):
        assert index.search(image, "in blue", limit=3) == by_path
    with Image.open(file) as picture:
        found = index.search(picture, limit=12)
    assert paths(found)[0] == "red.png"  # a picture has no file that could be left out
    grey = Image.new("LA", (40, 40), (200, 128))
    assert len(index.search(grey, limit=3)) == 3


def test_options_are_those_of_the_search(index: cir.Index) -> None:
    assert paths(index.search(text="blue", where=["number>=2", "number<3"])) == ["green.png"]
    assert paths(index.search(text="blue", where="number=3")) == ["blue.png"]
    ids = [cir.image_id("blue.png")]
    assert "blue.png" not in paths(index.search(text="blue", limit=12, exclude_ids=ids))
    with pytest.raises(cir.UsageError, match="no column"):
        index.search(text="blue", where=["colour=red"])
    with pytest.raises(TypeError, match="lenght"):
        index.search(text="blue", lenght=3)


def test_several_references_are_one_query(index: cir.Index, folder: Path) -> None:
    key, file = cir.image_id("green.png"), folder / "red.png"
    found = index.search([file, f"{key}*0.5"], "striped", limit=12)
    assert len(found) == 10 and not {"red.png", "green.png"} & set(paths(found))
    assert index.search([f"{file}*2", file.with_name("green.png")], "striped", limit=12) == found
    with Image.open(file) as picture:
        mixed = index.search([picture, file.with_name("green.png").read_bytes()], limit=12)
    assert "green.png" not in paths(mixed) and "red.png" in paths(mixed)
    assert index.search([file], "in blue", limit=3) == index.search(file, "in blue", limit=3)
    assert index.search([], "blue", limit=3) == index.search(text="blue", limit=3)
    with pytest.raises(cir.UsageError, match="weight"):
        index.search(f"{key}*11")


def test_what_cannot_be_asked_is_said(index: cir.Index, tmp_path: Path) -> None:
    with pytest.raises(cir.UsageError, match="empty"):
        index.search()
    with pytest.raises(cir.ImageError, match="no such file"):
        index.search(tmp_path / "none.jpg")
    with pytest.raises(cir.ImageError, match="reference image"):
        index.search(b"no picture")
    with pytest.raises(cir.UsageError, match="no longer in this index"):
        index.search("0" * 32)


def test_an_encoder_of_ones_own_indexes_and_searches(store: cir.Store, folder: Path) -> None:
    own: cir.Encoder = MeanColour()
    index = store.index("by colour", folder, encoder=own)
    assert paths(index.search(folder / "red.png", "in green", limit=2))[0] == "green.png"
    assert paths(index.search(text="blue", limit=1)) == ["blue.png"]
    with pytest.raises(cir.UsageError, match="Load that encoder yourself"):
        store.index("by colour").search(text="blue")
    again = store.index("by colour", encoder="tests.own_encoder:MeanColour")
    assert paths(again.search(text="blue", limit=1)) == ["blue.png"]
    with pytest.raises(cir.EncoderMismatchError):
        store.index("by colour", folder, encoder="compact")


def test_an_index_moves_to_another_encoder(store: cir.Store, folder: Path) -> None:
    index = store.index("moving", folder, encoder=MeanColour())
    told: list[cir.Progress] = []
    report: cir.ReencodeReport = index.reencode("compact", on_progress=told.append)
    assert (report.images, report.encoder, told[-1].done) == (12, "compact", 12)
    for same in (index, store.index("moving")):
        assert paths(same.search(folder / "red.png", "in blue", limit=1))
    assert index.reencode().encoded == 12  # by its own encoder, as it is now
    store.drop("moving")


def test_rows_of_ones_own_are_written_and_searched(store: cir.Store) -> None:
    index = store.create("rows", encoder="mine", fingerprint="1", dim=4)
    vectors = np.eye(4, dtype=np.float32)
    records = [
        cir.ImageRecord(cir.image_id(name), name, f"{at:032x}", 0, 0, 0, 0)
        for at, name in enumerate("abcd")
    ]
    index.upsert([cir.Row(record, row) for record, row in zip(records, vectors, strict=True)])
    hits = index.search_vectors(vectors[:2], 1)
    assert [(hit.path, round(hit.score, 3)) for (hit,) in hits] == [("a", 1.0), ("b", 1.0)]
    store.drop("rows")


def test_a_read_only_store_searches_and_changes_nothing(
    store: cir.Store, index: cir.Index, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIR_READ_ONLY", "true")
    locked = cir.Store(store.settings.index_uri, data_dir=store.settings.data_dir)
    assert locked.index("shop").search(text="blue", limit=1)
    with pytest.raises(cir.ReadOnlyError):
        locked.index("shop", folder)


def test_an_index_is_exported_and_imported(
    store: cir.Store, index: cir.Index, folder: Path, tmp_path: Path
) -> None:
    told: list[cir.Progress] = []
    index.export(tmp_path / "shop.parquet", on_progress=told.append)
    with pytest.raises(cir.UsageError, match="already a file"):
        index.export(tmp_path / "shop.parquet")
    again = store.import_index(tmp_path / "shop.parquet", "again", on_progress=told.append)
    assert [(each.stage, each.done) for each in told if each.done] == [
        ("Exporting", 12),
        ("Importing", 12),
    ]
    file = folder / "red.png"
    assert again.search(file, "in blue") == index.search(file, "in blue")
    with pytest.raises(cir.UsageError, match="already an index"):
        store.import_index(tmp_path / "shop.parquet")
    store.drop("again")


def test_failed_images_are_told_and_the_others_go_on(store: cir.Store, tmp_path: Path) -> None:
    save(solid("red"), tmp_path / "red.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    told: list[cir.FailedImage] = []
    index = store.index("failures", tmp_path, on_failure=told.append)
    assert index.report is not None and index.report.failed == told
    assert [each.path for each in told] == ["broken.png"] and index.count() == 1
    store.drop("failures")


def test_importing_costs_nothing_and_every_name_is_there() -> None:
    code = """
import sys
before = set(sys.modules)
import cir
print({name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names))
for name in cir.__all__:
    assert getattr(cir, name).__doc__, name
assert sorted(cir.__all__) == [name for name in dir(cir) if not name.startswith("_")]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'cir'}"
