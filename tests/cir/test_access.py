"""Who may change what, and which folders may be read."""

import hmac
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cir.access import TRIES, TRIES_SECONDS, Gate, is_readable, refuse_change, require_indexable
from cir.errors import AccessError, ReadOnlyError
from cir.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    data = tmp_path / "data"
    data.mkdir()
    return Settings(milvus_uri=None, milvus_token=None, data_dir=data, encoder="compact")


@pytest.fixture
def roots(settings: Settings, tmp_path: Path) -> Settings:
    """With one root, and a folder beside it that nobody may read."""
    for name in ("root/shirts", "rooted", "secret"):
        (tmp_path / name).mkdir(parents=True)
    return replace(settings, image_roots=(tmp_path / "root",))


def test_without_roots_only_local_people_name_folders(settings: Settings, tmp_path: Path) -> None:
    assert require_indexable(tmp_path, settings, local=True) == tmp_path
    with pytest.raises(AccessError, match="CIR_IMAGE_ROOTS"):
        require_indexable(tmp_path, settings, local=False)


@pytest.mark.parametrize("local", [True, False])
def test_with_roots_nobody_leaves_them(roots: Settings, tmp_path: Path, local: bool) -> None:
    for inside in ("root", "root/shirts"):
        folder = tmp_path / inside
        assert require_indexable(folder, roots, local=local) == folder
    for outside in ("secret", "rooted", "root/../secret", "root/shirts/../../secret", "."):
        with pytest.raises(AccessError, match="is not below"):
            require_indexable(tmp_path / outside, roots, local=local)


def test_links_are_followed_before_the_comparison(roots: Settings, tmp_path: Path) -> None:
    (tmp_path / "root" / "out").symlink_to(tmp_path / "secret")
    (tmp_path / "in").symlink_to(tmp_path / "root" / "shirts")
    with pytest.raises(AccessError):
        require_indexable(tmp_path / "root" / "out", roots, local=True)
    resolved = require_indexable(tmp_path / "in", roots, local=False)
    assert resolved == tmp_path / "root" / "shirts"


def test_a_file_behind_a_link_is_not_readable(roots: Settings, tmp_path: Path) -> None:
    secret = tmp_path / "secret" / "a.png"
    secret.write_bytes(b"x")
    link = tmp_path / "root" / "a.png"
    link.symlink_to(secret)
    assert not is_readable(link, roots, local=True)


def test_the_data_folder_is_always_allowed(roots: Settings) -> None:
    uploads = roots.data_dir / "uploads" / "abc"
    assert require_indexable(uploads, roots, local=False) == uploads


def test_read_only_refuses_changes() -> None:
    refuse_change(False)
    with pytest.raises(ReadOnlyError, match="CIR_READ_ONLY"):
        refuse_change(True)


def test_the_gate_opens_for_the_password_alone() -> None:
    gate = Gate("sésame")
    assert gate.opens("sésame")
    assert not gate.opens("sesame")
    assert not gate.opens("")
    assert gate.opens("sésame")


@pytest.mark.parametrize("password", [None, ""])
def test_without_a_password_the_gate_stays_shut(password: str | None) -> None:
    assert not Gate(password).opens("")


def test_the_gate_compares_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[Any] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert Gate("right").opens("right")
    assert compared == [(b"right", b"right")]


def test_after_some_failures_even_the_password_must_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    gate = Gate("right")
    for _ in range(TRIES):
        assert gate.wait_seconds == 0
        assert not gate.opens("wrong")
    assert gate.wait_seconds == TRIES_SECONDS
    assert not gate.opens("right")
    now += TRIES_SECONDS + 1
    assert gate.wait_seconds == 0
    assert gate.opens("right")
