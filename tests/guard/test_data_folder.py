"""A data folder that an earlier version wrote is opened, searched, compared and updated."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.drawn import save, solid
from tests.guard.stored import EXPECTED, INDEX, OWN_SET, SEARCHES, SET, WRITTEN_IN, Stored

ANSWERS: dict[str, Any] = json.loads(EXPECTED.read_text(encoding="utf-8"))
COUNTS = ("added", "updated", "unchanged", "removed")
COLUMNS = {
    "file": "string",
    "colour": "string",
    "fabric": "string",
    "price": "integer",
    "on_sale": "boolean",
}


def same(one: object, other: object) -> bool:
    """Whether two documents agree, numbers to 1e-4."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one == pytest.approx(other, abs=1e-4)
    return one == other


def test_the_index_is_listed(stored: Stored) -> None:
    (index,) = stored.cir.document("indexes")["indexes"]
    facts = ("name", "encoder", "precision", "dim", "source", "state", "count", "columns")
    assert [index[fact] for fact in facts] == [
        *(INDEX, "compact", "exact", 512, f"{WRITTEN_IN}/pictures", "ready", 18),
        COLUMNS,
    ]


@pytest.mark.parametrize("name", SEARCHES)
def test_searches_give_the_same_pictures_and_scores(name: str, stored: Stored) -> None:
    hits = stored.search(name)
    assert same({hit["path"]: hit["score"] for hit in hits}, ANSWERS["searches"][name])
    scores = [hit["score"] for hit in hits]
    assert scores == sorted(scores, reverse=True)


def test_hits_bring_their_ids_and_values(stored: Stored) -> None:
    (hit,) = [hit for hit in stored.search("text, narrowed") if hit["path"] == "red.png"]
    assert hit["id"] == "c3009a289844782f4306caa2bd55f839"
    kept = {"file": "red.png", "colour": "red", "price": 30, "on_sale": True}
    assert hit["metadata"] == kept


def test_the_index_is_brought_up_to_date(stored: Stored) -> None:
    # Same size, same time: a file that seems unchanged is not read again.
    unread = stored.pictures / "striped" / "red striped.png"
    unread.write_bytes(bytes(unread.stat().st_size))
    stored.date_pictures()
    report = stored.cir.document("index", stored.pictures, "--name", INDEX)
    assert [report[count] for count in COUNTS] == [0, 0, 18, 0] and report["failed"] == []

    table = stored.pictures / "metadata.csv"
    text = table.read_text(encoding="utf-8")
    assert "\ngreen.png,green,linen" in text
    table.write_text(
        text.replace("\ngreen.png,green,linen", "\ngreen.png,green,felt"), encoding="utf-8"
    )
    save(solid("black"), stored.pictures / "new" / "black.png")
    report = stored.cir.document("index", stored.pictures, "--name", INDEX)
    assert [report[count] for count in COUNTS] == [1, 1, 17, 0] and report["failed"] == []
    (index,) = stored.cir.document("indexes")["indexes"]
    assert (index["count"], index["source"]) == (19, str(stored.pictures))
    hits = stored.cir.document("search", INDEX, "--text", "green", "--where", "fabric=felt")["hits"]
    assert [hit["path"] for hit in hits] == ["green.png"]


def test_the_run_is_compared_and_reported(stored: Stored) -> None:
    compared = stored.compare()
    # Newer parts, beside what was there.
    assert compared.pop("clusters") is None
    assert all(each.pop("groups") for each in compared["comparisons"])
    assert same(compared, ANSWERS["comparison"])
    page = stored.folder / "report.html"
    # The pictures come from the stored gallery.
    for path in stored.pictures.rglob("*.png"):
        path.unlink()
    assert stored.eval.document("report", stored.run, "--html", page)["notes"] == []
    assert page.read_text(encoding="utf-8").count("data:image/jpeg;base64,") >= 18


def test_the_run_again_gives_the_same_figures(stored: Stored) -> None:
    before = json.loads((stored.run / "run.json").read_text(encoding="utf-8"))
    after = stored.eval.document("run", "--set", SET, "--ablations")
    for part in ("set", "encoder", "queries", "metrics", "groups", "modes", "composition_gain"):
        assert same(after[part], before[part]), part
    assert same(after["reference"], before["reference"])
    written = json.loads((Path(after["run"]) / "run.json").read_text(encoding="utf-8"))
    more = {"clusters", "device", "peak_memory", "recompose"}
    assert written.keys() - more == before.keys()
    assert before["settings"].items() <= written["settings"].items()  # and newer options
    prints = ("encoder_fingerprint", "set_fingerprint", "precision")
    assert [written[each] for each in prints] == [before[each] for each in prints]
    assert written["gallery"]["fingerprint"] == before["gallery"]["fingerprint"]


def test_own_and_registered_sets_are_listed_and_run(stored: Stored) -> None:
    states: Any = stored.eval.document("sets")
    listed = {state["name"]: state for state in states}
    assert (listed[SET]["queries"], listed[SET]["lacks"]) == (6, [])
    assert listed[OWN_SET]["queries"] == 3
    stored.cir.document("index", stored.pictures, "--name", INDEX)
    own = stored.folder / "data" / "labelled_sets" / OWN_SET
    figures = stored.eval.document("run", "--set", own, "--index", INDEX)
    assert (figures["set"], figures["queries"]) == (OWN_SET, 3)
    first_targets = {"q1": 3, "q2": 4, "q3": 1}
    mrr = sum(1 / rank for rank in first_targets.values()) / 3
    assert figures["metrics"]["mrr"] == pytest.approx(mrr)
