"""Copies of the stored data folder."""

from pathlib import Path

import pytest

from tests.guard.stored import Stored, unpack


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    """A copy of its own for the test."""
    return unpack(tmp_path)
