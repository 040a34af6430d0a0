"""Sets made from searches: adding, merging, refusing, taking away and bringing back."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cir.errors import ReadOnlyError, RecomposeError, UsageError
from cir.settings import Settings
from eval.sets.formats.native import load_native
from eval.sets.labelled import LabelledQuery
from eval.sets.own import (
    Added,
    NewQuery,
    add_query,
    change_query,
    export_set,
    import_set,
    kept_sets,
    remove_query,
    sets_dir,
)
from tests.eval.command_line import QRELS, QUERIES, Evaluate, WriteSet, document_of

QUERY = NewQuery("shop", "red.png", "in blue", ("blue.png",), "colour")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(None, None, tmp_path / "data", "compact")


def files(settings: Settings) -> dict[str, bytes]:
    folder = sets_dir(settings.data_dir)
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_first_query_makes_the_set(settings: Settings) -> None:
    assert add_query("My set", QUERY, settings) == Added("My-set", 1, True, 1)
    labelled = load_native(kept_sets(settings.data_dir)["My-set"])
    (query,) = labelled.queries
    assert (query.id, query.reference, query.instruction) == ("q1", "red.png", "in blue")
    assert (dict(query.targets), query.group) == ({"blue.png": 1}, "colour")


def test_further_queries_follow_and_none_stands_twice(settings: Settings) -> None:
    add_query("own", QUERY, settings)
    other = replace(QUERY, instruction="striped", targets=("a\tb.png", '"c".png'), group="")
    assert add_query("own", other, settings) == Added("own", 2, True, 2)
    before = files(settings)
    assert add_query("own", replace(other, instruction=" striped "), settings).new_query is False
    assert files(settings) == before
    labelled = load_native(kept_sets(settings.data_dir)["own"])
    assert [query.id for query in labelled.queries] == ["q1", "q2"]
    assert set(labelled.queries[1].targets) == {"a\tb.png", '"c".png'}


def test_a_query_that_is_there_gets_the_targets_it_lacks(settings: Settings) -> None:
    add_query("own", QUERY, settings)
    more = replace(QUERY, targets=("blue.png", "navy.png"))
    assert add_query("own", more, settings) == Added("own", 1, False, 1)
    (query,) = load_native(kept_sets(settings.data_dir)["own"]).queries
    assert set(query.targets) == {"blue.png", "navy.png"}


def test_an_uploaded_set_grows_without_losing_a_line(
    settings: Settings, write_set: WriteSet
) -> None:
    folder = write_set(
        [*QUERIES, {"_id": "q4", "image": "x", "text": "y", "more": 1}],
        [*QRELS, ("q4", "z.png", 1)],
    )
    content = [(name, (folder / name).read_bytes()) for name in ("queries.jsonl", "qrels/test.tsv")]
    content[0] = (content[0][0], content[0][1].rstrip(b"\n"))
    name = import_set(content, settings)
    assert add_query(name, QUERY, settings) == Added(name, 4, False, 0)
    added = add_query(name, replace(QUERY, instruction="in green"), settings)
    assert added == Added(name, 5, True, 1)
    text = (kept_sets(settings.data_dir)[name] / "queries.jsonl").read_text()
    assert [json.loads(line)["_id"] for line in text.splitlines()] == ["q1", "q2", "q3", "q4", "q5"]
    assert '"more": 1' in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"targets": ()}, "No target is marked"),
        ({"instruction": "  "}, "has no instruction"),
        ({"targets": ("red.png",)}, "reference image is marked"),
        ({"index": "other"}, "holds queries of the index 'shop'"),
        ({"instruction": "x", "targets": ("\udce4.png",)}, "not UTF-8"),
    ],
)
def test_what_cannot_be_added_changes_nothing(
    settings: Settings, change: dict[str, object], words: str
) -> None:
    add_query("own", QUERY, settings)
    before = files(settings)
    with pytest.raises(UsageError, match=words):
        add_query("own", replace(QUERY, **change), settings)  # type: ignore[arg-type]
    assert files(settings) == before


def test_a_damaged_set_is_left_as_it_is(settings: Settings) -> None:
    add_query("own", QUERY, settings)
    (kept_sets(settings.data_dir)["own"] / "queries.jsonl").write_text("{")
    before = files(settings)
    with pytest.raises(UsageError, match="line 1: not JSON"):
        add_query("own", replace(QUERY, instruction="x"), settings)
    assert files(settings) == before


def test_a_failing_disk_leaves_the_set_whole(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_query("own", QUERY, settings)
    before, replacing = files(settings), Path.replace

    def failing(self: Path, target: Path) -> Path:
        if self.suffix == ".tsv":
            raise OSError(28, "No space left on device")
        return replacing(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(RecomposeError, match="No space left"):
        add_query("own", replace(QUERY, instruction="x"), settings)
    assert files(settings) == before


def test_a_name_of_nothing_is_refused(settings: Settings) -> None:
    for name in ("", "  ", "../..", "//"):
        with pytest.raises(UsageError, match="name of letters and digits"):
            add_query(name, QUERY, settings)
    assert not files(settings)


def test_read_only_refuses_adding_and_importing(settings: Settings) -> None:
    add_query("own", QUERY, settings)
    locked = replace(settings, read_only=True)
    packed = export_set("own", settings.data_dir)
    before = files(settings)
    with pytest.raises(ReadOnlyError):
        add_query("own", replace(QUERY, instruction="x"), locked)
    with pytest.raises(ReadOnlyError):
        import_set([("other.zip", packed)], locked)
    assert files(settings) == before


def test_an_exported_set_comes_back_the_same(settings: Settings, tmp_path: Path) -> None:
    add_query("own", QUERY, settings)
    packed = export_set("own", settings.data_dir)
    assert import_set([("own.zip", packed)], settings) == "own"  # it is there already
    elsewhere = replace(settings, data_dir=tmp_path / "elsewhere")
    assert import_set([("renamed.zip", packed)], elsewhere) == "own"
    assert files(elsewhere) == files(settings)
    with pytest.raises(UsageError, match="no labelled set 'other'"):
        export_set("other", settings.data_dir)


def test_people_who_add_at_the_same_time_lose_nothing(settings: Settings) -> None:
    threads = [
        threading.Thread(
            target=add_query, args=("own", replace(QUERY, instruction=f"in {n}"), settings)
        )
        for n in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(load_native(kept_sets(settings.data_dir)["own"]).queries) == 12


def test_a_set_made_here_can_be_run(evaluate: Evaluate, gallery: Path, settings: Settings) -> None:
    add_query("own", QUERY, settings)
    folder = kept_sets(settings.data_dir)["own"]
    document = document_of(evaluate("--set", folder, "--gallery", gallery, "--json"))
    assert document["queries"] == 1
    assert list(document["groups"]) == ["colour"]


def only(settings: Settings) -> LabelledQuery:
    (query,) = load_native(kept_sets(settings.data_dir)["own"]).queries
    return query


def test_what_was_looked_at_and_not_marked_is_judged_0(settings: Settings) -> None:
    looked = replace(QUERY, negatives=("green.png", "navy.png", "blue.png", "red.png"))
    assert add_query("own", looked, settings) == Added("own", 1, True, 1, 2)
    assert only(settings).negatives == ("green.png", "navy.png")
    # Marked later, an image becomes a target; a target that is not marked again stays one.
    later = replace(QUERY, targets=("navy.png",), negatives=("blue.png", "teal.png"))
    assert add_query("own", later, settings) == Added("own", 1, False, 1, 1)
    assert set(only(settings).targets) == {"blue.png", "navy.png"}
    assert only(settings).negatives == ("green.png", "teal.png")
    assert add_query("own", later, settings) == Added("own", 1, False, 0, 0)


def test_a_query_is_changed(settings: Settings) -> None:
    add_query("own", replace(QUERY, negatives=("green.png",)), settings)
    change_query("own", "q1", settings, instruction=" in navy ", group="")
    assert (only(settings).instruction, only(settings).group) == ("in navy", "")
    change_query("own", "q1", settings, judged={"green.png": True, "blue.png": False})
    assert (dict(only(settings).targets), only(settings).negatives) == (
        {"green.png": 1}, ("blue.png",)
    )  # fmt: skip
    assert only(settings).instruction == "in navy"
    assert json.loads(files(settings)["own/queries.jsonl"])["index"] == "shop"


def test_a_query_is_removed_from_every_split(settings: Settings, write_set: WriteSet) -> None:
    folder = write_set(QUERIES, QRELS)
    write_set(QUERIES, QRELS[:2], split="second")
    content = [
        (path.name, path.read_bytes())
        for path in (folder / "queries.jsonl", *(folder / "qrels").iterdir())
    ]
    name = import_set(content, settings)
    remove_query(name, "q1", settings)
    kept = kept_sets(settings.data_dir)[name]
    assert [query.id for query in load_native(kept).queries] == ["q2", "q3"]
    assert [query.id for query in load_native(kept, "second").queries] == ["q2"]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda s: remove_query("own", "q1", s), "the only query of own: delete the set"),
        (lambda s: remove_query("own", "q9", s), "no query 'q9'"),
        (lambda s: remove_query("other", "q1", s), "no labelled set 'other'"),
        (lambda s: change_query("own", "q1", s, instruction=" "), "has no instruction"),
        (lambda s: change_query("own", "q1", s, judged={"blue.png": False}), "has no target"),
        (lambda s: change_query("own", "q1", s, judged={"red.png": True}), "marked as a target"),
    ],
)
def test_what_cannot_be_edited_changes_nothing(
    settings: Settings, edit: Callable[[Settings], None], words: str
) -> None:
    add_query("own", QUERY, settings)
    before = files(settings)
    with pytest.raises(UsageError, match=words):
        edit(settings)
    with pytest.raises(ReadOnlyError):
        remove_query("own", "q1", replace(settings, read_only=True))
    assert files(settings) == before
