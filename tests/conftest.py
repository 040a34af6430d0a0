"""Fixtures for every part: nothing of the person who runs the tests reaches them."""

import os
import time
from pathlib import Path

import pytest

from cir.encoders.compact.encoder import CompactEncoder
from tests.wheel import build_wheel, install_wheel

_STARTED = time.monotonic()


def pytest_addoption(parser: pytest.Parser) -> None:
    """An option for machines whose time is bounded."""
    parser.addoption(
        "--minutes", type=float, metavar="N", help="skip the tests that N minutes leave no time for"
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin no test when the time is over."""
    minutes = item.config.getoption("--minutes")
    if minutes is not None and time.monotonic() - _STARTED > 60 * minutes:
        pytest.skip(f"the {minutes:g} minutes for these tests are over")


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
