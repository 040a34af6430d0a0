"""The requirements files and the lock agree, and the lock fits every machine."""

import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.places import REPOSITORY

FILES = (
    "requirements-light.txt",
    "requirements-general.txt",
    "requirements.txt",
    "requirements-dev.txt",
)
PYTHONS = ("3.11", "3.12", "3.13")


def lines(name: str) -> list[str]:
    """What a requirements file asks for, without comments and the files that it names."""
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    bare = (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines())
    return [line for line in bare if line and not line.startswith("-")]


LOCKED = [Requirement(line) for line in lines("requirements.lock")]


def locked(name: str, python: str, platform: str, machine: str) -> list[Requirement]:
    """The lines of the lock that hold for a package on such a machine."""
    machine_ = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": platform,
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
    }
    return [
        each
        for each in LOCKED
        if canonicalize_name(each.name) == canonicalize_name(name)
        and (each.marker is None or each.marker.evaluate(dict(machine_)))
    ]


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(
    ("platform", "machine"), [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64")]
)
def test_every_requirement_is_locked_to_one_version_that_it_allows(
    python: str, platform: str, machine: str
) -> None:
    for file in FILES:
        for requirement in map(Requirement, lines(file)):
            here = {"sys_platform": platform, "platform_machine": machine}
            if requirement.marker is not None and not requirement.marker.evaluate(dict(here)):
                continue
            found = locked(requirement.name, python, platform, machine)
            assert len(found) == 1, f"{requirement.name} of {file}: {found}. Write the lock anew."
            (version,) = found[0].specifier
            assert version.operator == "==", found[0]
            assert requirement.specifier.contains(version.version), f"{requirement} and {found[0]}"


def test_the_lock_names_no_place_and_no_build_of_one_machine() -> None:
    text = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    assert not [each for each in LOCKED if "+" in str(each.specifier)]
    assert not [line for line in text.splitlines() if line.startswith("-")]
