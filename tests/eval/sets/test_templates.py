"""Templates of instructions: what is asked, what a run keeps, how its queries are read again."""

import json
from pathlib import Path

import pytest

import eval as bench
from cir.errors import UsageError
from eval.runs.queries import asked_queries
from eval.sets.formats.fashioniq import load_fashioniq
from tests.eval.layouts import (
    CIRR_IMAGES,
    circo_records,
    draw_all,
    write_circo,
    write_cirr,
    write_fashioniq,
)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (None, "is blue"),
        ("plain", "is blue"),
        ("bge-vl", "Find a picture that also a colour, but is blue."),
        ("magiclens", "find a colour but is blue"),
        ("searle", "a photo of $ that is blue"),
        ("{caption}: {shared_concept}", "is blue: a colour"),
    ],
)
def test_circo_is_asked_as_authors_did(tmp_path: Path, template: str | None, said: str) -> None:
    labelled = bench.load_set("circo", root=write_circo(tmp_path), template=template)
    assert labelled.queries[0].instruction == said
    assert labelled.fingerprint == bench.load_set("circo", root=tmp_path).fingerprint


def test_fashioniq_s_captions_are_joined_as_authors_did(tmp_path: Path) -> None:
    root = write_fashioniq(tmp_path)
    bge = bench.load_set("fashioniq-dress", root=root, template="bge-vl").queries
    assert [bge[0].instruction, bge[1].instruction] == ["is blue, and shorter", "is green"]
    both = bench.load_set("fashioniq-dress", root=root, template="searle").queries[0]
    assert both.instruction == "a photo of $ that is blue and shorter"
    assert both.reworded == "a photo of $ that shorter and is blue"
    turned = bench.load_set("fashioniq-dress", root=root, template="bge-vl", both_orders=True)
    assert turned.queries[0].reworded == "shorter, and is blue"


def test_what_is_no_template_is_refused(tmp_path: Path) -> None:
    root = write_circo(tmp_path)
    with pytest.raises(UsageError, match="no template 'bge': write one of plain, bge-vl"):
        bench.load_set("circo", root=root, template="bge")
    with pytest.raises(UsageError, match="The query '0' has no 'colour', which the template names"):
        bench.load_set("circo", root=root, template="in {colour}")
    with pytest.raises(UsageError, match="is no text with fields"):
        bench.load_set("circo", root=root, template="in {colour")
    for text in ("{caption!r}", "{caption:>30}", "{{caption}} {caption}"):
        with pytest.raises(UsageError, match="holds more than fields"):
            bench.load_set("circo", root=root, template=text)
    with pytest.raises(UsageError, match=r"leaves out what is asked: \{caption\}"):
        bench.load_set("circo", root=root, template="only {shared_concept}")
    records = circo_records()
    del records[1]["shared_concept"]
    write_circo(tmp_path, records)
    with pytest.raises(UsageError, match="The query '1' has no 'shared_concept'"):
        bench.load_set("circo", root=root, template="bge-vl")


def test_a_run_keeps_its_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIR_DATA_DIR", str(tmp_path / "data"))
    images = draw_all(tmp_path / "images", [f"{name}.png" for name in CIRR_IMAGES])
    root = write_cirr(tmp_path)
    labelled = bench.load_set("cirr", root=root, template="searle")
    run = bench.run(labelled, gallery=images)
    assert run.folder is not None
    kept = json.loads((run.folder / "run.json").read_text())["settings"]
    assert (kept["template"], kept["template_text"]) == ("searle", "a photo of $ that {caption}")
    again = {query.instruction for query in asked_queries(bench.open_run(run.folder)).values()}
    assert again == {"a photo of $ that make it another colour"}
    plain = bench.run(bench.load_set("cirr", root=root), gallery=images)
    assert plain.part("settings")["template"] is None


def test_a_run_of_both_orders_that_an_earlier_version_made_is_known(tmp_path: Path) -> None:
    root = write_fashioniq(tmp_path)
    one, both = (load_fashioniq(root, "dress", both_orders=each) for each in (False, True))
    assert one.fingerprint == both.fingerprint != both.former_fingerprint
    assert both.is_of({"set_fingerprint": both.former_fingerprint})
    assert not one.is_of({"set_fingerprint": both.former_fingerprint})
