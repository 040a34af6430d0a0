"""Drawing the sample in processes of its own."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cir.errors import RecomposeError
from cir.progress import Progress
from cir.sample.designs import catalogue
from cir.sample.studio import draw_picture, draw_pictures

FEW = catalogue()[::80]
LONG = catalogue()[:200]


class Stopped(Exception):
    pass


def stop(progress: Progress) -> None:
    raise Stopped


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def grows(folder: Path) -> bool:
    """Whether somebody still draws there."""
    before = names(folder)
    time.sleep(0.4)
    return names(folder) != before


def test_the_pictures_are_those_that_one_process_draws(tmp_path: Path) -> None:
    together, alone = tmp_path / "together", tmp_path / "alone"
    together.mkdir()
    alone.mkdir()
    draw_pictures(FEW, together)
    for design in FEW:
        draw_picture(design, alone)
    assert names(together) == {design.file for design in FEW}
    for path in alone.iterdir():
        assert (together / path.name).read_bytes() == path.read_bytes()
        assert path.stat().st_size < 120_000


def test_progress_rises_to_the_number_of_all(tmp_path: Path) -> None:
    told: list[Progress] = []
    draw_pictures(FEW, tmp_path, told.append)
    assert [each.done for each in told] == list(range(1, len(FEW) + 1))
    assert {(each.stage, each.total) for each in told} == {("Drawing", len(FEW))}


def test_no_design_is_no_work(tmp_path: Path) -> None:
    draw_pictures((), tmp_path)
    assert not names(tmp_path)


def test_it_works_from_any_folder_and_without_a_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "pictures").mkdir(parents=True)
    (elsewhere / "random.py").write_text("raise SystemExit('not the library')")
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    draw_pictures(FEW[:2], Path("pictures"))
    assert len(names(Path("pictures"))) == 2


def test_an_exception_from_the_listener_stops_the_processes(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        draw_pictures(LONG, tmp_path, stop)
    assert 0 < len(names(tmp_path)) < len(LONG)
    assert not grows(tmp_path)


def test_a_picture_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / LONG[3].file
    blocked.mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        draw_pictures(LONG, tmp_path)
    assert caught.value.errno == errno.EISDIR
    assert caught.value.filename == str(blocked)
    assert len(names(tmp_path)) < len(LONG)
    assert not grows(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / FEW[0].file).symlink_to("/dev/full")
    with pytest.raises(OSError, match=FEW[0].file) as caught:
        draw_pictures(FEW, tmp_path)
    assert caught.value.errno == errno.ENOSPC


def test_a_drawing_that_fails_otherwise_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    startup = tmp_path / "startup"
    startup.mkdir()
    # Python runs this file as the processes start.
    (startup / "sitecustomize.py").write_text(
        "import PIL.Image\n"
        "def save(*args, **options):\n"
        "    raise MemoryError('no room for it')\n"
        "PIL.Image.Image.save = save\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(startup))
    with pytest.raises(RecomposeError, match=rf"{FEW[0].file} cannot be drawn: no room for it\.$"):
        draw_pictures(FEW[:1], tmp_path)


def test_a_pool_that_cannot_begin_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RecomposeError, match="a process that draws it has ended"):
        draw_pictures([replace(FEW[0], id=99_999)], tmp_path)
    assert "KeyError: '99999'" in capfd.readouterr().err


def children(process: int) -> list[int]:
    """The processes that draw for this one, at once or for its pool."""
    listed = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(process)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [int(line.split()[0]) for line in listed.splitlines() if "-m cir.sample " in line]


def the_pool() -> int:
    return children(os.getpid())[0]


def a_worker() -> int:
    return children(the_pool())[0]


@pytest.mark.parametrize("victim", [the_pool, a_worker])
def test_a_process_that_is_killed_is_told(tmp_path: Path, victim: Callable[[], int]) -> None:
    def kill(progress: Progress) -> None:
        if progress.done == 1:
            os.kill(victim(), signal.SIGKILL)

    with pytest.raises(RecomposeError, match="a process that draws it has ended"):
        draw_pictures(LONG, tmp_path, kill)
    assert not grows(tmp_path)


def test_the_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from cir.sample.designs import catalogue; "
        "from cir.sample.studio import draw_pictures; draw_pictures(catalogue(), Path(sys.argv[1]))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, tmp_path])
    try:
        while not names(tmp_path):
            assert parent.poll() is None
            time.sleep(0.02)
    finally:
        parent.kill()
        parent.wait()
    end = time.monotonic() + 20
    while grows(tmp_path):  # some pictures were under way
        assert time.monotonic() < end
    assert len(names(tmp_path)) < len(catalogue())


def test_ctrl_c_ends_the_processes_without_words_of_theirs(tmp_path: Path) -> None:
    code = (
        "import signal, sys; from pathlib import Path; from cir.sample.designs import catalogue; "
        "from cir.sample.studio import draw_pictures; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); "
        "draw_pictures(catalogue(), Path(sys.argv[1]))"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path], stderr=subprocess.PIPE, text=True, process_group=0
    )
    while not names(tmp_path):
        assert parent.poll() is None
        time.sleep(0.02)
    os.killpg(parent.pid, signal.SIGINT)  # as a terminal does
    errors = parent.communicate(timeout=30)[1]
    assert errors.count("Traceback") == 1 and errors.rstrip().endswith("KeyboardInterrupt")
    assert not grows(tmp_path)


def test_the_processes_load_none_of_the_large_libraries() -> None:
    code = "import sys, cir.sample.__main__; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert {"numpy", "PIL"} <= set(loaded)
    assert not {"streamlit", "onnxruntime", "pymilvus", "pandas", "torch"} & set(loaded)
