"""Where the sample's pictures are made: a Python process a core, each with its share of them.

Threads would take turns, because most of the drawing is short steps of Python. `multiprocessing`
would start the main module once more in each process, which under Streamlit is the app.
"""

import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from cir.errors import RecomposeError
from cir.parallel import usable_cores
from cir.sample.designs import Design, catalogue
from cir.sample.drawing import draw

_ROOT = Path(__file__).resolve().parents[2]
_MOST = 4  # processes, of about 50 MB each
_PAUSE = 0.05
_QUALITY = 92

OnDrawn = Callable[[int, int], None]
"""Is called with the pictures drawn so far and the number of all."""


def draw_pictures(
    designs: Sequence[Design], folder: Path, on_progress: OnDrawn | None = None
) -> None:
    """Draw designs of the catalogue into an empty folder, on all cores.

    No process is left when this returns or raises, also where `on_progress`, which is called in
    this thread, raises. The processes end on their own where this one is killed.

    Raises:
        OSError: a picture cannot be written, or no process started.
        RecomposeError: drawing failed otherwise.
    """
    shares = min(_MOST, usable_cores(), len(designs))
    children: list[subprocess.Popen[str]] = []
    try:
        for share in range(shares):
            children.append(_start(designs[share::shares], folder))
        _watch(children, folder, len(designs), on_progress)
    finally:
        for child in children:
            with child:  # waits for it
                child.kill()


def _start(designs: Sequence[Design], folder: Path) -> "subprocess.Popen[str]":
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    numbers = [str(design.id) for design in designs]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", __name__, str(folder.absolute()), *numbers],
        env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,  # never written to: it closes when this process ends
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        process_group=0,  # Ctrl-C is for this process, which then ends them
    )


def _watch(
    children: "Sequence[subprocess.Popen[str]]",
    folder: Path,
    total: int,
    on_progress: OnDrawn | None,
) -> None:
    """Wait until all have ended well; tells of pictures as their files appear."""
    running = list(children)
    told = 0
    while running:
        with suppress(subprocess.TimeoutExpired):
            running[0].wait(_PAUSE)
        for child in [each for each in running if each.poll() is not None]:
            if child.returncode:
                raise _failure(child)
            running.remove(child)
        done = sum(1 for _ in folder.iterdir())
        if on_progress is not None and done > told:
            on_progress(done, total)
            told = done


def _failure(child: "subprocess.Popen[str]") -> Exception:
    """Why a process ended before its work was done; the last line that it wrote says so."""
    said = child.stdout.read().strip() if child.stdout is not None else ""
    last = said.rpartition("\n")[2]
    try:
        told = json.loads(last)
        picture, number, reason = told["picture"], told["errno"], told["reason"]
    except (ValueError, TypeError, KeyError):
        if child.returncode < 0:
            name = signal.Signals(-child.returncode).name
            last = f"{name} ended its process; check that there is enough free memory"
        return RecomposeError(f"The sample catalogue cannot be drawn: {last or 'no reason told'}.")
    if number is not None:
        return OSError(number, reason, picture)
    return RecomposeError(f"The sample's picture {picture} cannot be drawn: {reason}.")


def draw_picture(design: Design, folder: Path) -> None:
    """Draw one design in this process, as a JPEG file.

    Raises:
        OSError: it cannot be written.
    """
    content = io.BytesIO()  # Pillow, writing itself, does not tell a full disk from other trouble
    draw(design).save(content, "JPEG", quality=_QUALITY, subsampling=0)
    (folder / design.file).write_bytes(content.getbuffer())


def _draw_share(folder: Path, numbers: Sequence[str]) -> int:
    """The work of one process: the picture of each number; the first that fails is told."""
    designs = {str(design.id): design for design in catalogue()}
    for number in numbers:
        design = designs[number]
        try:
            draw_picture(design, folder)
        except Exception as error:
            print(json.dumps(_told(error, folder / design.file)))
            return 1
    return 0


def _told(error: Exception, picture: Path) -> dict[str, object]:
    """What the process that waits is told; a number makes it the same OSError there."""
    if isinstance(error, OSError) and error.errno is not None:
        return {"picture": str(picture), "errno": error.errno, "reason": error.strerror}
    reason = str(error).rstrip(".") or type(error).__name__
    return {"picture": picture.name, "errno": None, "reason": reason}


def _end_with_parent() -> None:
    os.read(0, 1)  # not sys.stdin, whose lock would be held when the process ends
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.exit(_draw_share(Path(sys.argv[1]), sys.argv[2:]))
