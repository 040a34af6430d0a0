"""Who may change what, and which folders may be read."""

import hmac
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cir.access import (
    ALL_SECONDS,
    ALL_TRIES,
    FORGET_SECONDS,
    FREE_TRIES,
    LONGEST_WAIT,
    MAX_ADDRESSES,
    MAX_KNOWN,
    Gate,
    is_readable,
    refuse_change,
    require_indexable,
)
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


HERE, THERE = "198.51.100.1", "203.0.113.7"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of the gate, to be moved on: `clock[0] += 60`."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def fail(gate: Gate, address: str | None, times: int = FREE_TRIES) -> None:
    for _ in range(times):
        assert not gate.opens("wrong", "right", address)


def test_the_gate_opens_for_the_password_alone() -> None:
    gate = Gate()
    assert gate.opens("sésame", "sésame", HERE)
    assert not gate.opens("sesame", "sésame", HERE)
    assert not gate.opens("", "sésame", HERE)
    assert gate.opens("sésame", "sésame", HERE)


@pytest.mark.parametrize("password", [None, ""])
def test_without_a_password_the_gate_stays_shut(password: str | None) -> None:
    assert not Gate().opens("", password, None)


def test_the_gate_compares_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[Any] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert Gate().opens("right", "right", HERE)
    assert compared == [(b"right", b"right")]


def test_each_failure_makes_an_address_wait_longer(clock: list[float]) -> None:
    gate, waits = Gate(), []
    fail(gate, HERE, FREE_TRIES - 1)
    assert gate.wait_seconds(HERE) == 0
    for _ in range(8):
        fail(gate, HERE, 1)
        waits.append(gate.wait_seconds(HERE))
        assert not gate.opens("right", "right", HERE), "even the password must wait"
        assert gate.wait_seconds(HERE) == waits[-1], "a try that came too early costs nothing"
        clock[0] += waits[-1]
    assert waits == [30, 60, 120, 240, 480, LONGEST_WAIT, LONGEST_WAIT, LONGEST_WAIT]
    assert gate.opens("right", "right", HERE)
    fail(gate, HERE, FREE_TRIES - 1)
    assert gate.wait_seconds(HERE) == 0, "the password wipes the slate clean"


def test_failures_are_forgotten_after_a_day(clock: list[float]) -> None:
    gate = Gate()
    fail(gate, HERE)
    clock[0] += FORGET_SECONDS
    fail(gate, HERE, FREE_TRIES - 1)
    assert gate.wait_seconds(HERE) == 0


def test_one_stranger_keeps_nobody_else_out(clock: list[float]) -> None:
    gate = Gate()
    fail(gate, THERE, 10 * ALL_TRIES)
    assert gate.wait_seconds(HERE) == 0
    assert gate.opens("right", "right", HERE)


def test_many_addresses_together_have_a_bound(clock: list[float]) -> None:
    gate = Gate()
    assert gate.opens("right", "right", HERE)
    guessed = 0
    for second in range(3600):
        strange = f"203.0.{second // 256}.{second % 256}"
        guessed += gate.wait_seconds(strange) == 0
        assert not gate.opens("wrong", "right", strange)
        clock[0] += 1
    assert guessed <= ALL_TRIES + 3600 / ALL_SECONDS + 1
    assert gate.wait_seconds("192.0.2.1") > 0
    for known in (HERE, None, "127.0.0.1", "::1", "::ffff:127.0.0.1"):
        assert gate.opens("right", "right", known), "known addresses, and the machine itself"
    clock[0] += ALL_SECONDS
    assert gate.opens("right", "right", "192.0.2.1"), "a minute after the flood"


def test_the_network_of_a_customer_is_one_address(clock: list[float]) -> None:
    gate = Gate()
    for number in range(FREE_TRIES):
        fail(gate, f"2001:db8:7:{number}::{number}", 1)
    assert gate.wait_seconds("2001:db8:7:ffff::1") > 0
    assert gate.wait_seconds("2001:db8:8::1") == 0
    fail(gate, f"::ffff:{THERE}")  # how a socket for both kinds names an IPv4 address
    assert gate.wait_seconds(THERE) > 0
    assert gate.wait_seconds(f"::ffff:{HERE}") == 0


def test_the_gate_remembers_a_bounded_number_of_addresses(clock: list[float]) -> None:
    gate = Gate()
    for number in range(MAX_ADDRESSES + 1000):
        clock[0] += ALL_SECONDS
        fail(gate, f"no address {number}" * 100, 1)
    assert len(gate._wrong) == MAX_ADDRESSES
    assert max(map(len, gate._wrong)) < 100
    for number in range(2 * MAX_KNOWN):
        assert gate.opens("right", "right", f"10.0.0.{number}")
    assert len(gate._known) == MAX_KNOWN
    fail(gate, None, 1)
    assert gate.opens("right", "right", None)
