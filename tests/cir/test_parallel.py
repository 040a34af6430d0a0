"""Cores by quota, not by what a host shows."""

from pathlib import Path

import pytest

from cir.parallel import usable_cores


@pytest.fixture(autouse=True)
def _sixteen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "cir.parallel.os.sched_getaffinity", lambda process: set(range(16)), raising=False
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [("200000 100000", 2), ("150000 100000", 2), ("10000 100000", 1), ("max 100000", 16), ("", 16)],
)
def test_the_quota_of_a_container_counts(tmp_path: Path, text: str, expected: int) -> None:
    (tmp_path / "cpu.max").write_text(text)
    assert usable_cores(tmp_path) == expected


@pytest.mark.parametrize(("quota", "expected"), [("400000", 4), ("-1", 16), ("9900000", 16)])
def test_the_older_layout_counts_too(tmp_path: Path, quota: str, expected: int) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert usable_cores(tmp_path) == expected


def test_without_a_quota_the_mask_counts(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) == 16
