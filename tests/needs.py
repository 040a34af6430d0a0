"""Skipping where a package is missing; in CI nothing may skip for that."""

import importlib.util
import os

import pytest


def needs(package: str, why: str) -> None:
    """Skip the module or test where the package is not installed; fail it where CI=true."""
    if importlib.util.find_spec(package) is not None:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(why, pytrace=False)
    pytest.skip(why, allow_module_level=True)
