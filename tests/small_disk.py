"""A file system of a few megabytes, to be filled."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(megabytes: int, *, files: int = 10_000) -> Iterator[Path]:
    """Its folder; skips the test for who may not mount one."""
    with tempfile.TemporaryDirectory(prefix="small-disk-") as name:
        options = f"size={megabytes}m,nr_inodes={files}"
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", name], capture_output=True, check=False
        )
        if done.returncode:
            pytest.skip("a small disk is mounted by root alone")
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", "--lazy", name], check=True)


def fill(folder: Path, leave: int = 0) -> Path:
    """Fill the disk up to a few bytes; gives the file that does, to make room again."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            size = file.tell()
    os.truncate(filler, max(0, size - leave))
    return filler


def files_below(folder: Path) -> set[str]:
    """Names of all files, relative to the folder."""
    return {each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()}
