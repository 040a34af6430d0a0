"""Deleting runs and uploaded sets: those alone, and never through a link."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cir.errors import ReadOnlyError, UsageError
from cir.settings import Settings
from eval.runs.deleting import delete_run, delete_set
from eval.sets.own import sets_dir

Delete = Callable[[str, Settings], None]
EACH = pytest.mark.parametrize("delete", [delete_run, delete_set])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "data").mkdir()
    return Settings(None, None, tmp_path / "data", "compact")


def put(folder: Path) -> Path:
    """A folder that is a run and a labelled set at once."""
    (folder / "qrels").mkdir(parents=True)
    for name in ("run.json", "queries.csv", "queries.jsonl", "qrels/test.tsv"):
        (folder / name).write_text("{")
    return folder


def parent(delete: Delete, settings: Settings) -> Path:
    return settings.runs_dir if delete is delete_run else sets_dir(settings.data_dir)


@EACH
def test_one_is_deleted_and_the_others_stay(delete: Delete, settings: Settings) -> None:
    home = parent(delete, settings)
    put(home / "a b")
    put(home / "other")
    delete("a b", settings)
    assert [path.name for path in home.iterdir()] == ["other"]
    with pytest.raises(UsageError, match=r"There is no .*'a b'"):
        delete("a b", settings)


@EACH
def test_read_only_deletes_nothing(delete: Delete, settings: Settings) -> None:
    folder = put(parent(delete, settings) / "mine")
    with pytest.raises(ReadOnlyError):
        delete("mine", replace(settings, read_only=True))
    assert (folder / "run.json").is_file()


@EACH
@pytest.mark.parametrize("name", ["", ".", "..", "../runs", "mine/qrels", ".partial-1"])
def test_a_name_leads_nowhere_else(delete: Delete, settings: Settings, name: str) -> None:
    home = parent(delete, settings)
    put(home / "mine")
    put(home / ".partial-1")
    for odd in (name, str(home / "mine")):
        with pytest.raises(UsageError, match="There is no"):
            delete(odd, settings)
    assert sorted(path.name for path in home.iterdir()) == [".partial-1", "mine"]


@EACH
def test_links_are_not_followed(delete: Delete, settings: Settings, tmp_path: Path) -> None:
    outside = put(tmp_path / "outside" / "mine")
    home = parent(delete, settings)
    home.mkdir()
    (home / "link").symlink_to(outside)
    (home / "dangling").symlink_to(tmp_path / "nowhere")
    inner = put(home / "inner")
    (inner / "qrels" / "link").symlink_to(outside)
    for name in ("link", "dangling"):
        with pytest.raises(UsageError, match="by hand"):
            delete(name, settings)
    delete("inner", settings)
    assert (outside / "run.json").is_file()
    assert sorted(path.name for path in home.iterdir()) == ["dangling", "link"]


@EACH
def test_a_whole_folder_elsewhere_is_left(
    delete: Delete, settings: Settings, tmp_path: Path
) -> None:
    outside = put(tmp_path / "outside" / "mine")
    parent(delete, settings).symlink_to(outside.parent)
    with pytest.raises(UsageError, match="by hand"):
        delete("mine", settings)
    assert (outside / "run.json").is_file()


def test_what_is_no_run_stays(settings: Settings) -> None:
    folder = settings.runs_dir / "notes"
    folder.mkdir(parents=True)
    with pytest.raises(UsageError, match="is no run"):
        delete_run("notes", settings)
    assert folder.is_dir()
