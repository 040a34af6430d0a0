"""What is doubtful about a set, and how two annotators agree."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cir.errors import UsageError
from cir.settings import Settings
from eval.cli.app import app
from eval.sets.agreement import agreement
from eval.sets.formats.native import load_native
from eval.sets.hygiene import doubts
from tests.eval.command_line import QRELS, QUERIES, WriteSet, document_of


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(None, None, tmp_path / "data", "compact")


def test_doubts_name_queries_and_images(
    write_set: WriteSet, own_gallery: Path, settings: Settings
) -> None:
    queries = [*QUERIES, {"_id": "q4", "image": "red.png", "text": "In  BLUE"}]
    folder = write_set(queries, [*QRELS, ("q4", "blue.png", 1), ("q2", "green.png", 1)])
    labelled = load_native(folder)
    found = {each.kind: dict(each.found) for each in doubts(labelled, own_gallery, settings)}
    assert found == {
        "asked_twice": {"q1": ("q4",)},
        "reference_is_target": {"q2": ("green.png",)},
    }
    shutil.copy(own_gallery / "blue.png", own_gallery / "again.png")
    shutil.copy(own_gallery / "striped ones" / "blue.png", own_gallery / "striped ones" / "red.png")
    (own_gallery / "broken.png").write_bytes(b"no picture")
    told = {each.kind: dict(each.found) for each in doubts(labelled, own_gallery, settings)}
    assert told["target_copies_reference"] == {"q3": ("striped ones/red.png",)}
    assert told["copy_not_judged"] == {"q1": ("again.png",), "q4": ("again.png",)}
    assert told["images_twice"]["again.png"] == ("again.png", "blue.png")
    assert "copy_not_judged" not in {each.kind for each in doubts(labelled, None, settings)}


def test_wordings_of_one_query_are_not_asked_twice(write_set: WriteSet, settings: Settings) -> None:
    capitals = {"_id": "q1-capitals", "image": "red.png", "text": "IN BLUE", "wording_of": "q1"}
    folder = write_set([*QUERIES, capitals], [*QRELS, ("q1-capitals", "blue.png", 1)])
    kinds = {each.kind for each in doubts(load_native(folder), None, settings)}
    assert "asked_twice" not in kinds


def test_texts_that_copy_a_target_are_named(
    write_set: WriteSet, own_gallery: Path, settings: Settings
) -> None:
    for name in ("navy striped shirt", "a blue one"):
        shutil.copy(own_gallery / "blue.png", own_gallery / f"{name}.png")
    (own_gallery / "metadata.csv").write_text("file,name\na blue one.png,Summer  Sea\n")
    asked = {
        "q1": ("a shirt in navy, striped", "navy striped shirt.png"),
        "q2": ("summer sea", "a blue one.png"),
        "q3": ("a navy shirt", "navy striped shirt.png"),
        "q4": ("in blue", "blue.png"),
    }
    queries = [{"_id": name, "image": "red.png", "text": text} for name, (text, _) in asked.items()]
    folder = write_set(queries, [(name, target, 1) for name, (_, target) in asked.items()])
    found = {e.kind: dict(e.found) for e in doubts(load_native(folder), own_gallery, settings)}
    assert found["text_names_target"] == {
        "q1": ("navy striped shirt.png",),
        "q2": ("a blue one.png",),
    }


def test_the_command_says_what_it_found(
    write_set: WriteSet, gallery: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CIR_DATA_DIR", str(tmp_path / "data"))
    folder = write_set(QUERIES, QRELS)
    asked = ["check", "--set", str(folder), "--gallery", str(gallery)]
    assert CliRunner().invoke(app, asked).stdout == "Nothing doubtful was found.\n"
    twice = [*QUERIES, {**QUERIES[0], "_id": "q4"}]
    write_set(twice, [*QRELS, ("q4", "blue.png", 1)])
    assert "1 have the reference image and the instruction of another" in (
        CliRunner().invoke(app, asked).stdout
    )
    assert document_of(CliRunner().invoke(app, [*asked, "--json"])) == {
        "asked_twice": {"q1": ["q4"]}
    }


# Cohen's example of 100 judgements: 40 both yes, 30 both no, 20 and 10 disputed.
# observed 0.70, expected 0.6 * 0.5 + 0.4 * 0.5 = 0.5, kappa 0.4.
def judged(yes_yes: int, yes_no: int, no_yes: int, no_no: int) -> tuple[list[int], list[int]]:
    first = [1] * (yes_yes + yes_no) + [0] * (no_yes + no_no)
    second = [1] * yes_yes + [0] * yes_no + [1] * no_yes + [0] * no_no
    return first, second


def test_kappa_of_two_splits(write_set: WriteSet) -> None:
    first, second = judged(40, 20, 10, 30)
    for split, scores in (("test", first), ("second", second)):
        rows = [("q1", f"{at}.jpg", score) for at, score in enumerate(scores)]
        folder = write_set(QUERIES[:1], [*rows, ("q1", f"{split}.jpg", 1)], split=split)
    asked = ["agreement", str(folder), str(folder), "--second-split", "second"]
    document = document_of(CliRunner().invoke(app, [*asked, "--json"]))
    assert (document["observed"], document["kappa"]) == (pytest.approx(0.7), pytest.approx(0.4))
    assert (document["judgements"], document["unshared"]) == (100, 2)
    assert len(document["disputed"]["q1"]) == 30
    told = CliRunner().invoke(app, asked).stdout
    assert "Cohen's kappa is 0.400. 30 are disputed; 2 were judged by one alone" in told


def test_sets_of_two_people_are_matched_by_what_is_asked(write_set: WriteSet) -> None:
    one = load_native(write_set(QUERIES, [*QRELS, ("q1", "green.png", 0)], name="one"))
    other = replace(one, queries=tuple(replace(each, id=f"x{each.id}") for each in one.queries))
    found = agreement(one, other)
    assert (found.queries, found.both, found.neither, found.kappa) == (3, 3, 1, 1.0)
    alike = load_native(write_set(QUERIES, QRELS, name="two"))
    assert agreement(alike, alike).kappa is None
    assert "cannot be told" in agreement(alike, alike).words()
    elsewhere = replace(one, queries=tuple(replace(q, instruction="x") for q in one.queries[:1]))
    with pytest.raises(UsageError, match="no query in common"):
        agreement(one, elsewhere)
    apart = replace(one, queries=(replace(one.queries[0], targets={"z": 1}, negatives=()),))
    with pytest.raises(UsageError, match="judge no image of a query both"):
        agreement(one, apart)
