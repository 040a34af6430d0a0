"""Fixtures for every part: nothing of the person who runs the tests reaches them."""

import os

import pytest

from cir.encoders.compact.encoder import CompactEncoder


@pytest.fixture(autouse=True, scope="session")
def _no_settings_of_ones_own() -> None:
    for name in [name for name in os.environ if name.startswith("CIR_")]:
        del os.environ[name]


@pytest.fixture(scope="session")
def compact() -> CompactEncoder:
    """The encoder that ships with the project."""
    return CompactEncoder()
