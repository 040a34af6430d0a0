"""How many inputs are made up: a hundred a test in a usual run, a thousand in a slow one."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

_HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    """Take few or many cases; nothing is remembered between runs, so that each is the same."""
    usual = settings(
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        max_examples=100,
    )
    settings.register_profile("usual", usual)
    settings.register_profile("slow", usual, max_examples=10 * usual.max_examples)
    settings.load_profile("slow" if _is_slow(config) else "usual")


def pytest_report_collectionfinish(config: pytest.Config) -> str:
    """The seed, with which a failure can be met again."""
    seed = config.getoption("--hypothesis-seed")
    return f"made-up inputs: {settings().max_examples} a test, --hypothesis-seed={seed}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a slow run these tests are slow ones: the same tests, with more cases."""
    if _is_slow(config):
        for item in items:
            if _HERE in item.path.parents:
                item.add_marker(pytest.mark.slow)


def _is_slow(config: pytest.Config) -> bool:
    return bool(config.option.markexpr == "slow")
