"""The project's wheel, and an environment with it."""

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from tests.places import REPOSITORY

PACKED = ("cir", "eval", "pages", ".streamlit")


def build_wheel(folder: Path) -> Path:
    """Build a wheel as `pip install .` does, from a copy: a build leaves files where it runs."""
    source = folder / "source"
    for name in PACKED:
        shutil.copytree(
            REPOSITORY / name, source / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for path in REPOSITORY.iterdir():
        if path.is_file() and not path.name.startswith("."):
            shutil.copy(path, source)
    (source / ".streamlit" / "secrets.toml").write_text('CIR_MILVUS_TOKEN = "hunter2"\n')
    _pip("wheel", source, "--no-deps", "--no-build-isolation", "--wheel-dir", folder)
    return next(folder.glob("*.whl"))


def install_wheel(wheel: Path, folder: Path) -> Path:
    """Install it into a fresh environment that borrows what it requires from this one.

    Gives the folder of its commands.
    """
    venv.create(folder, symlinks=True)
    home = {"base": str(folder), "platbase": str(folder)}
    python = Path(sysconfig.get_path("scripts", "venv", home)) / "python"
    _pip("--python", python, "install", "--no-deps", wheel)
    packages = Path(sysconfig.get_path("purelib", "venv", home))
    (packages / "borrowed.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return python.parent


def _pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
