"""The published annotation files: what is read, and what is said about each kind of mistake."""

import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from cir.errors import UsageError
from eval.sets.formats.annotations import stem
from eval.sets.formats.circo import load_circo
from eval.sets.formats.cirr import load_cirr
from eval.sets.formats.fashioniq import CATEGORIES, load_fashioniq
from eval.sets.labelled import LabelledSet
from tests.eval.layouts import (
    CIRR_IMAGES,
    Record,
    circo_records,
    cirr_records,
    fashioniq_records,
    write_circo,
    write_cirr,
    write_fashioniq,
    write_json,
)
from tests.places import REPOSITORY

SHARED = Path(os.environ.get("CIR_SHARED_DATA") or REPOSITORY.parent / "shared") / "benchmarks"
REAL = pytest.mark.skipif(
    not SHARED.is_dir(),
    reason=f"no annotation files in {SHARED}; CIR_SHARED_DATA names the folder of benchmarks/",
)


def test_fashioniq_joins_captions_and_keeps_the_reference(tmp_path: Path) -> None:
    labelled = load_fashioniq(write_fashioniq(tmp_path), "dress")
    first, second, _ = labelled.queries
    assert (labelled.name, labelled.split, len(labelled.gallery or ())) == (
        "fashioniq-dress",
        "val",
        8,
    )
    assert (first.id, first.reference, first.targets) == ("dress-0", "B000", {"B002": 1})
    assert (first.instruction, second.instruction) == ("is blue and shorter", "is green")
    assert labelled.protocol.keep_reference
    (note,) = labelled.notes
    assert "record 2" in note


def test_fashioniq_has_a_smaller_gallery_and_two_orders(tmp_path: Path) -> None:
    root = write_fashioniq(tmp_path)
    small = load_fashioniq(root, "dress", small_gallery=True, both_orders=True)
    assert set(small.gallery or ()) == {"B000", "B001", "B002", "B003", "B004"}
    assert [query.reworded for query in small.queries] == [
        "shorter and is blue",
        "",
        "is plain and is purple",
    ]
    assert small.fingerprint != load_fashioniq(root, "dress").fingerprint


def test_cirr_has_candidates_without_the_reference(tmp_path: Path) -> None:
    labelled = load_cirr(write_cirr(tmp_path))
    first, second = labelled.queries
    assert (first.id, first.reference, first.targets) == (
        "100",
        CIRR_IMAGES[0],
        {CIRR_IMAGES[2]: 1},
    )
    assert first.candidates == tuple(CIRR_IMAGES[1:6])
    assert second.candidates == tuple(CIRR_IMAGES[4:9])
    assert not labelled.protocol.keep_reference
    assert len(labelled.gallery or ()) == 9


def test_circo_counts_one_target_and_has_several_aspects(tmp_path: Path) -> None:
    labelled = load_circo(write_circo(tmp_path))
    first, second = labelled.queries
    assert (first.id, first.reference, first.counted) == ("0", "10", "12")
    assert first.targets == {"12": 1, "13": 1}
    assert labelled.groups() == {"negation": [0], "addition": [0, 1]}
    assert (second.first_targets, labelled.gallery) == (("14",), None)


def test_test_splits_name_no_targets(tmp_path: Path) -> None:
    circo = load_circo(write_circo(tmp_path, circo_records(judged=False), "test"), "test")
    cirr = load_cirr(write_cirr(tmp_path, cirr_records(judged=False), "test1"), "test1")
    assert not circo.judged
    assert not cirr.judged
    assert cirr.queries[0].candidates


@pytest.mark.parametrize("folder", ["", "captions", "cirr_dataset", "CIRR/cirr/captions"])
def test_files_are_found_flat_or_as_the_authors_lay_them_out(tmp_path: Path, folder: str) -> None:
    write_json(tmp_path / folder / "cap.rc2.val.json", cirr_records())
    write_json(tmp_path / folder / "split.rc2.val.json", dict.fromkeys(CIRR_IMAGES, ""))
    assert len(load_cirr(tmp_path).queries) == 2


@pytest.mark.parametrize(
    "path",
    ["a.jpg", "dev/a-0-img0.png", "a", "x/.hidden", "a.b.jpg", "a.", "..a", "x.y/a", "/x/a.jpg/"],
)
def test_an_image_s_id_is_its_file_s_stem(path: str) -> None:
    assert stem(path) == PurePosixPath(path).stem


Load = Callable[[Path], LabelledSet]


def dress(root: Path) -> LabelledSet:
    return load_fashioniq(root, "dress")


@pytest.mark.parametrize(
    ("write", "load", "make"),
    [
        (write_fashioniq, dress, fashioniq_records),
        (write_cirr, load_cirr, cirr_records),
        (write_circo, load_circo, circo_records),
    ],
    ids=["fashioniq", "cirr", "circo"],
)
class TestMistakes:
    """The same for each format."""

    def test_missing_folder_and_file(
        self,
        tmp_path: Path,
        write: Callable[..., Path],
        load: Load,
        make: Callable[[], list[Record]],
    ) -> None:
        with pytest.raises(UsageError, match="There is no folder"):
            load(tmp_path / "nowhere")
        with pytest.raises(UsageError, match=r"holds no .*val\.json"):
            load(tmp_path)

    def test_malformed_json_is_named_with_its_line(
        self,
        tmp_path: Path,
        write: Callable[..., Path],
        load: Load,
        make: Callable[[], list[Record]],
    ) -> None:
        write(tmp_path)
        for path in tmp_path.rglob("*.json"):
            path.write_text('[\n  {"a": 1},\n  {"a" 1}\n]')
        with pytest.raises(UsageError, match=r"\.json, line 3: not JSON"):
            load(tmp_path)
        for path in tmp_path.rglob("*.json"):
            path.write_bytes(b'["a",\n"\xff"]')
        with pytest.raises(UsageError, match=r"\.json, line 2: not UTF-8"):
            load(tmp_path)

    def test_other_content(
        self,
        tmp_path: Path,
        write: Callable[..., Path],
        load: Load,
        make: Callable[[], list[Record]],
    ) -> None:
        for content, words in (
            ({"a": 1}, "not a list"),
            ([], "not a list"),
            (["a"], "record 1: not"),
        ):
            with pytest.raises(UsageError, match=words):
                load(write(tmp_path, content))

    def test_every_key_that_is_used_is_missed(
        self,
        tmp_path: Path,
        write: Callable[..., Path],
        load: Load,
        make: Callable[[], list[Record]],
    ) -> None:
        unused = {"target_soft", "shared_concept", "semantic_aspects", "target"}
        for key in set(make()[1]) - unused:
            records = make()
            del records[1][key]
            with pytest.raises(UsageError, match=f"record 2: '{key}'"):
                load(write(tmp_path, records))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"captions": ["", " ."]}, "both are empty"),
        ({"captions": ["only one"]}, "two captions"),
        ({"captions": "text"}, "not a list of texts"),
        ({"candidate": "B999"}, "'B999' is not in"),
        ({"target": "B999"}, "'B999' is not in"),
        ({"target": None}, "'target' is null"),
    ],
)
def test_a_bad_pair_of_fashioniq_is_named(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    records = fashioniq_records()
    records[0] |= change
    with pytest.raises(UsageError, match=f"record 1: .*{words}"):
        dress(write_fashioniq(tmp_path, records))


def test_a_doubled_image_of_a_split_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="entry 2: the image 'B000' stands in"):
        dress(write_fashioniq(tmp_path, gallery=["B000", "B000"]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pairid": 100}, "the query '100' stands in .*record 1 too"),
        ({"caption": " "}, "'caption' is empty"),
        ({"img_set": {"members": ["dev-0-0-img0"] * 2}}, "names an image twice"),
        ({"target_hard": "dev-99"}, "'dev-99' is not in"),
    ],
)
def test_a_bad_query_of_cirr_is_named(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    records = cirr_records()
    records[1] |= change
    with pytest.raises(UsageError, match=f"record 2: .*{words}"):
        load_cirr(write_cirr(tmp_path, records))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": 0}, "the query '0' stands in"),
        ({"relative_caption": ""}, "'relative_caption' is empty"),
        ({"gt_img_ids": []}, "not a list of images"),
        ({"gt_img_ids": [15]}, "'target_img_id' is not among"),
        ({"semantic_aspects": [3]}, "not a list of names"),
    ],
)
def test_a_bad_query_of_circo_is_named(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    records = circo_records()
    records[1] |= change
    with pytest.raises(UsageError, match=f"record 2: .*{words}"):
        load_circo(write_circo(tmp_path, records))


@REAL
def test_the_real_files_have_the_sizes_that_the_papers_give() -> None:
    sizes = [load_fashioniq(SHARED, category) for category in CATEGORIES]
    assert [len(labelled.queries) for labelled in sizes] == [2017, 2038, 1961]
    assert [len(labelled.gallery or ()) for labelled in sizes] == [3817, 6346, 5373]
    assert sum(len(labelled.notes) for labelled in sizes) == 3
    small = [load_fashioniq(SHARED, category, small_gallery=True) for category in CATEGORIES]
    assert [len(labelled.gallery or ()) for labelled in small] == [2628, 3089, 2902]
    cirr, circo = load_cirr(SHARED), load_circo(SHARED)
    assert (len(cirr.queries), len(cirr.gallery or ())) == (4181, 2297)
    assert all(len(query.candidates) == 5 for query in cirr.queries)
    assert len(circo.queries) == 220
    assert len(circo.groups()) == 9
