"""What `pip install` brings: two packages, two commands, the requirements of the files."""

import json
import subprocess
from email import message_from_bytes
from email.message import Message
from itertools import pairwise
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

from cir import __version__
from tests.places import REPOSITORY

FILES = (
    "requirements-light.txt",
    "requirements-general.txt",
    "requirements.txt",
    "requirements-dev.txt",
)
NAMED = ["streamlit", "pymilvus", "torch", "timm", "einops", "ftfy", "pillow", "pandas", "pytest"]


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    """Names of the wheel's files."""
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    """The wheel's metadata."""
    with ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(archive.read(name))


def test_cir_and_eval_are_all_that_is_installed(names: set[str]) -> None:
    folders = {name.split("/")[0] for name in names}
    assert folders == {"cir", "eval", f"recompose-{__version__}.dist-info"}


def test_a_wheel_holds_all_code_and_the_dashboard_and_nothing_private(names: set[str]) -> None:
    dashboard = {"streamlit_app.py", ".streamlit/config.toml", *_files("pages/**/*.py")}
    dashboard |= _files("pages/**/*.svg") | _files("pages/**/*.webp")
    code = {name for name in names if name.endswith(".py")}
    placed = {name for name in names if name.startswith("cir/dashboard/")}
    assert placed == {f"cir/dashboard/{name}" for name in dashboard}
    assert code - placed == _files("cir/**/*.py") | _files("eval/**/*.py")


def test_a_wheel_holds_what_the_code_reads(names: set[str]) -> None:
    model = {"fusion.onnx", "image.onnx", "manifest.json", "tokenizer.json", "MODEL_CARD.md"}
    assert {f"cir/encoders/compact/{name}" for name in model} <= names
    assert {"cir/py.typed", "eval/py.typed", "eval/reporting/report.html"} <= names


def test_the_wheel_requires_what_the_requirements_files_say(metadata: Message) -> None:
    required = {Requirement(text) for text in metadata.get_all("Requires-Dist", [])}
    extra = {each for each in required if "extra ==" in str(each.marker)}
    assert required - extra == _required("requirements-light.txt")
    assert extra == {
        Requirement(f'{each}; extra == "{name}"')
        for name, file in (("full", "requirements.txt"), ("general", "requirements-general.txt"))
        for each in _required(file)
    }


def test_the_requirements_files_name_what_they_should_and_give_reasons() -> None:
    assert {path.name for path in REPOSITORY.glob("requirements*.txt")} == set(FILES)
    assert {each.name.lower() for file in FILES for each in _required(file)} >= set(NAMED)
    for file in FILES:
        for above, line in pairwise(_lines(file)):
            reasoned = "#" in above + line or not line.strip() or line.startswith("-r ")
            assert reasoned, f"{file}: {line}"


def test_files_build_on_each_other() -> None:
    assert "-r requirements-light.txt" in _lines("requirements.txt")
    assert "-r requirements-light.txt" in _lines("requirements-general.txt")
    assert {"-r requirements.txt", "-r requirements-general.txt"} <= set(
        _lines("requirements-dev.txt")
    )
    assert "-r ../requirements-light.txt" in _lines("cloud/requirements.txt")


def test_the_commands_are_named_as_they_are_called(installed: Path, tmp_path: Path) -> None:
    for name in ("recompose", "recompose-eval"):
        done = subprocess.run(
            [str(installed / name), "--help"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert f"Usage: {name} [OPTIONS] COMMAND" in done.stdout


def test_an_installed_package_takes_the_secrets_of_the_working_folder(
    installed: Path, tmp_path: Path
) -> None:
    (tmp_path / ".streamlit").mkdir()
    secrets = f'CIR_DATA_DIR = "{tmp_path / "data"}"\n'
    (tmp_path / ".streamlit" / "secrets.toml").write_text(secrets)
    command = [str(installed / "recompose"), "indexes", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"indexes": []}
    assert (tmp_path / "data").is_dir()


def _lines(file: str) -> list[str]:
    return (REPOSITORY / file).read_text(encoding="utf-8").splitlines()


def _required(file: str) -> set[Requirement]:
    """What a requirements file itself names."""
    texts = (line.split("#")[0].strip() for line in _lines(file))
    return {Requirement(text) for text in texts if text and not text.startswith("-r ")}


def _files(pattern: str) -> set[str]:
    return {path.relative_to(REPOSITORY).as_posix() for path in REPOSITORY.glob(pattern)}
