"""Names and notes of runs."""

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cir.errors import ReadOnlyError, UsageError
from cir.settings import Settings
from eval.cli.app import app
from eval.runs.naming import annotate_run, rename_run
from eval.runs.reading import list_runs, open_upload
from tests.eval.uploads import document, zipped


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a data folder with the runs "one" and "two"."""
    for name in ("one", "two"):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "run.json").write_bytes(document())
    return Settings(None, None, tmp_path, "compact")


def names(settings: Settings) -> list[str]:
    return sorted(run.name for run in list_runs(settings.runs_dir)[0])


def test_a_run_is_known_by_its_new_name(settings: Settings) -> None:
    assert rename_run("one", " Größer, η=0.1 ", settings) == "Größer, η=0.1"
    assert names(settings) == ["Größer, η=0.1", "two"]
    assert rename_run("two", "two", settings) == "two"


@pytest.mark.parametrize("new", ["", ".hidden", "a/b", "a:sum", "x" * 101, "two", "a\nb", ".."])
def test_a_name_that_cannot_be_changes_nothing(settings: Settings, new: str) -> None:
    with pytest.raises(UsageError, match=r"cannot be named|already"):
        rename_run("one", new, settings)
    assert names(settings) == ["one", "two"]


def test_a_note_stands_beside_the_run_and_travels_with_it(settings: Settings) -> None:
    annotate_run("one", "with a longer prompt\nworse\n", settings)
    folder = settings.runs_dir / "one"
    assert {run.name: run.note for run in list_runs(settings.runs_dir)[0]} == {
        "one": "with a longer prompt\nworse",
        "two": "",
    }
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert open_upload("one.zip", zipped(files)).note == "with a longer prompt\nworse"
    annotate_run("one", "", settings)
    assert sorted(path.name for path in folder.iterdir()) == ["run.json"]


def test_what_cannot_be_noted_or_named(settings: Settings) -> None:
    with pytest.raises(UsageError, match="2000 characters at most; this has 2001"):
        annotate_run("one", "x" * 2001, settings)
    with pytest.raises(UsageError, match="There is no run 'three'"):
        annotate_run("three", "x", settings)
    for change in (rename_run, annotate_run):
        with pytest.raises(ReadOnlyError):
            change("one", "x", replace(settings, read_only=True))


def test_the_commands(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIR_DATA_DIR", str(settings.data_dir))
    assert CliRunner().invoke(app, ["note", "one", "good"]).exit_code == 0
    assert "'best'" in CliRunner().invoke(app, ["rename", "one", "best"]).stdout
    assert [run.note for run in list_runs(settings.runs_dir)[0] if run.name == "best"] == ["good"]
    assert CliRunner().invoke(app, ["rename", "one", "x"]).exit_code == 2
