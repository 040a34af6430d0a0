"""Where the sample's pictures are made: a pool of processes, because threads would take turns.

Most of the drawing is short steps of Python. The pool has a process of its own, `python -m
cir.sample`: workers may import the main module anew, which under Streamlit is the app.
"""

import io
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from cir.errors import RecomposeError
from cir.progress import OnProgress, ProgressTeller
from cir.sample.designs import Design
from cir.sample.drawing import draw

_ROOT = Path(__file__).resolve().parents[2]
_QUALITY = 92


def draw_pictures(
    designs: Sequence[Design], folder: Path, on_progress: OnProgress | None = None
) -> None:
    """Draw designs of the catalogue into an empty folder, on all cores.

    No process is left when this returns or raises, also where `on_progress`, which is called in
    this thread, raises. The processes end on their own where this one is killed.

    Raises:
        OSError: a picture cannot be written, or no process started.
        RecomposeError: drawing failed otherwise.
    """
    teller = ProgressTeller(len(designs), on_progress, stage="Drawing")
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    numbers = [str(design.id) for design in designs]
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "cir.sample", str(folder.absolute()), *numbers],
        env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        process_group=0,  # Ctrl-C is for this process, which then ends them
    ) as pool:
        assert pool.stdout is not None
        try:
            for _ in designs:
                failure = pickle.load(pool.stdout)
                if failure is not None:
                    raise failure
                teller.count(1)
        except BaseException as error:
            os.killpg(pool.pid, signal.SIGKILL)
            if not isinstance(error, EOFError):
                raise
            raise RecomposeError(
                "The sample catalogue cannot be drawn: a process that draws it has ended. Check "
                "that there is enough free memory."
            ) from error


def draw_picture(design: Design, folder: Path) -> None:
    """Draw one design in this process, as a JPEG file.

    Raises:
        OSError: it cannot be written.
        RecomposeError: drawing failed otherwise.
    """
    path = folder / design.file
    content = io.BytesIO()  # Pillow, writing itself, does not tell a full disk from other trouble
    try:
        draw(design).save(content, "JPEG", quality=_QUALITY, subsampling=0)
        path.write_bytes(content.getbuffer())
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        reason = str(error).rstrip(".") or type(error).__name__
        raise RecomposeError(
            f"The sample's picture {path.name} cannot be drawn: {reason}."
        ) from error
