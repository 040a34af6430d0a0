"""Fixtures for every part: nothing of the person who runs the tests reaches them."""

import os
from pathlib import Path

import pytest

from cir.encoders.compact.encoder import CompactEncoder
from tests.wheel import build_wheel, install_wheel


@pytest.fixture(autouse=True, scope="session")
def _no_settings_of_ones_own() -> None:
    for name in [name for name in os.environ if name.startswith("CIR_")]:
        del os.environ[name]


@pytest.fixture(scope="session")
def compact() -> CompactEncoder:
    """The encoder that ships with the project."""
    return CompactEncoder()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the commands of an environment into which the wheel is installed."""
    return install_wheel(wheel, tmp_path_factory.mktemp("installed") / "environment")
