"""Files that nobody would write: each is read, or refused in a sentence."""

import io
import json
import string
import tarfile
import zipfile
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from cir.errors import RecomposeError
from cir.images import decode, thumbnail
from cir.indexing.archives import opened_archive
from cir.indexing.backup import export_index, import_index
from cir.indexing.metadata import read_table
from cir.settings import load_settings
from cir.store import MilvusStore
from eval.runs.rankings import read_trec
from eval.runs.reading import open_upload
from eval.sets.catalogue import load_set
from tests.cir.store.samples import COLUMNS, DIM, row, unit
from tests.drawn import checked, content, striped

TEXT = st.text(st.characters(exclude_categories=[]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)


def picture_files() -> list[bytes]:
    """One small file of each format and of several modes."""
    red, grey = striped("red"), checked("blue").convert("L")
    files = [content(red, kind) for kind in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF")]
    files += [content(red.convert(mode)) for mode in ("P", "1", "RGBA", "LA", "I;16")]
    files += [
        content(red, "JPEG", progressive=True),
        content(red.convert("CMYK"), "JPEG"),
        content(grey, "TIFF", compression="tiff_lzw"),
        content(red, "GIF", save_all=True, append_images=[checked("green")]),
    ]
    return files


@st.composite
def damaged(draw: Callable[..., Any], files: list[bytes]) -> bytes:
    """A file with bytes changed, cut out, doubled or put in."""
    data = bytearray(draw(st.sampled_from(files)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        length = draw(st.integers(0, 8))
        match draw(st.sampled_from(["put", "cut", "end", "twice"])):
            case "put":
                data[at : at + length] = draw(st.binary(max_size=8))
            case "cut":
                del data[at : at + length]
            case "end":
                del data[at:]
            case "twice":
                data[at:at] = data[at : at + 64 * length]
    return bytes(data)


@given(damaged(picture_files()))
def test_a_damaged_picture_is_a_picture_or_a_sentence(data: bytes) -> None:
    try:
        picture = decode(data)
    except RecomposeError as error:
        assert str(error)
    else:
        assert picture.image.mode == "RGB"
        assert 1 <= max(picture.image.size) <= 1024
        assert picture.width >= 1
        assert picture.height >= 1


def archives() -> list[bytes]:
    """A zip and two tars of two pictures, one in a folder."""
    files = {"a.png": content(striped("red")), "folder/ä b.jpg": content(checked("blue"), "JPEG")}
    made = []
    for packing in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", packing) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        made.append(buffer.getvalue())
    for mode in ("w", "w:gz"):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode=mode) as tar:
            for name, data in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        made.append(buffer.getvalue())
    return made


@given(damaged(archives()), st.sampled_from(["zip", "tar"]))
def test_a_damaged_archive_leads_nowhere_outside(data: bytes, kind: Any) -> None:
    try:
        with opened_archive("some.zip", data, kind=kind) as entries:
            for entry in entries:
                entry.read()
                assert ".." not in entry.path.parts
                assert not entry.path.is_absolute()
    except RecomposeError as error:
        assert "some.zip" in str(error)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> MilvusStore:
    """A store with the index "kept"."""
    folder = tmp_path_factory.mktemp("exports")
    store = MilvusStore(str(folder / "recompose.db"), data_dir=folder)
    index = store.create(
        "kept", encoder="test", fingerprint="0", precision="exact", dim=DIM, columns=COLUMNS
    )
    jpeg = thumbnail(striped("red"))
    index.upsert([row(f"{n}.jpg", metadata={"year": n}, thumbnail=jpeg) for n in range(5)])
    return store


@settings(max_examples=settings().max_examples // 4)  # making an index takes half a second
@given(st.data())
def test_a_damaged_export_makes_a_sound_index_or_none(
    store: MilvusStore, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp()
    whole = folder / "whole.parquet"
    if not whole.exists():
        export_index(store.open("kept"), whole)
    file = folder / "damaged.parquet"
    file.write_bytes(data.draw(damaged([whole.read_bytes()])))
    try:
        import_index(store, file, "made")
    except RecomposeError as error:
        assert str(error)
        assert [info.name for info in store.list()] == ["kept"]
    else:
        made = store.open("made")
        assert made.count() == made.info.count
        assert made.search_vectors(unit(1.0)[None], 3)[0]
        store.drop("made")


CSV_TEXT = st.text(string.printable + "äé日\ufeff\0\u2028", max_size=60)


@given(CSV_TEXT, st.sampled_from([".csv", ".tsv", ".jsonl", ".parquet"]))
def test_any_table_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str, ending: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"table{ending}"
    path.write_bytes(text.encode())
    _reads(lambda: read_table(path, ["a.jpg", "b/c.jpg"]))


@given(st.lists(st.lists(CSV_TEXT, min_size=1, max_size=4), min_size=1, max_size=6))
def test_any_cells_keep_to_the_types_of_their_columns(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "cells.jsonl"
    names = ["file", "x", "y", "z"]
    records: list[dict[str, Any]] = [dict(zip(names, row, strict=False)) for row in rows]
    records[0]["file"] = "a.jpg"
    path.write_text("\n".join(map(json.dumps, records)))
    table = read_table(path, ["a.jpg"])
    kinds = {"string": str, "boolean": bool, "integer": int, "number": float}
    for column, value in (table.lookup("a.jpg") or {}).items():
        assert type(value) is kinds[table.columns[column]]


LINES = st.lists(
    st.lists(TEXT | st.sampled_from(["q1", "Q0", "a.jpg", "1", "-1e309", "nan", "0.5"])).map(
        "\t".join
    ),
    max_size=5,
).map("\n".join)


@given(LINES)
@example("q1 Q0 a.jpg 1 inf tag")
def test_any_ranking_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "run.trec"
    path.write_bytes(text.encode(errors="surrogatepass"))
    _reads(lambda: read_trec(path))


@given(JSON, JSON, JSON)
def test_any_run_is_read_or_refused(whole: Any, modes: Any, groups: Any) -> None:
    made = {"set": "s", "encoder": "e", "queries": 1, "modes": modes, "groups": groups}
    for document in (whole, made):
        data = json.dumps(document).encode()
        _reads(partial(open_upload, "run.json", data))


@given(st.lists(JSON, min_size=1, max_size=3), LINES)
def test_any_native_set_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, records: list[Any], qrels: str
) -> None:
    root = tmp_path_factory.getbasetemp() / "native"
    (root / "qrels").mkdir(parents=True, exist_ok=True)
    good = {"_id": "q1", "image": "a.jpg", "text": "in red"}
    lines = [
        json.dumps(good | (each if isinstance(each, dict) else {"x": each})) for each in records
    ]
    (root / "queries.jsonl").write_text("\n".join(lines))
    head = "query-id\tcorpus-id\tscore\n"
    (root / "qrels" / "test.tsv").write_bytes((head + qrels).encode(errors="surrogatepass"))
    _reads(lambda: load_set("native", root))


Record = dict[str, Any]

CIRR: Record = {
    "pairid": 1, "reference": "a", "target_hard": "b", "caption": "x",
    "img_set": {"members": ["a", "b"]},
}  # fmt: skip
CIRCO: Record = {
    "id": 1, "reference_img_id": 2, "target_img_id": 3, "gt_img_ids": [3], "shared_concept": "x",
    "relative_caption": "y", "semantic_aspects": [],
}  # fmt: skip
FASHIONIQ: Record = {"candidate": "a", "target": "b", "captions": ["x", "y"]}


@given(JSON, JSON, st.data())
def test_any_benchmark_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, whole: Any, value: Any, data: st.DataObject
) -> None:
    root = tmp_path_factory.getbasetemp() / "benchmarks"
    chosen: tuple[Record, str, str] = data.draw(
        st.sampled_from(
            [
                (CIRR, "cirr/captions/cap.rc2.val.json", "cirr/image_splits/split.rc2.val.json"),
                (CIRCO, "circo/annotations/val.json", ""),
                (
                    FASHIONIQ,
                    "fashioniq/captions/cap.dress.val.json",
                    "fashioniq/image_splits/split.dress.val.json",
                ),
            ]
        )
    )
    record, captions, images = chosen
    name = captions.split("/", maxsplit=1)[0]
    changed = {**record, data.draw(st.sampled_from(sorted(record))): value}
    listed = data.draw(st.sampled_from([{"a": "./a.png", "b": "./b.png"}, ["a", "b"], whole]))
    for content_ in (whole, [changed]):
        for file, written in ((captions, content_), (images, listed)):
            if file:
                path = root / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(written))
        _reads(lambda: load_set(name, root / name))


@given(st.text(string.printable, max_size=80), st.binary(max_size=30))
def test_any_secrets_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str, more: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp()
    path = folder / "secrets.toml"
    path.write_bytes(b'CIR_ENCODER = "compact"\n' + text.encode() + more)
    _reads(lambda: load_settings(secrets_file=path, data_dir=folder / "data"))


def _reads(read: Callable[[], object]) -> None:
    """Nothing but an error for people may come out."""
    try:
        read()
    except RecomposeError as error:
        assert str(error)


def test_the_pictures_that_are_damaged_were_sound() -> None:
    for data in picture_files():
        assert decode(data).image.size == Image.open(io.BytesIO(data)).size
