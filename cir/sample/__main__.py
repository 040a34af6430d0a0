"""`python -m cir.sample FOLDER NUMBER...`: the pool of processes of `cir.sample.studio`.

On standard output it tells of each picture by a pickled None, of a failure by the exception.
"""

import os
import pickle
import sys
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

from cir.errors import RecomposeError
from cir.parallel import usable_cores
from cir.sample.designs import catalogue
from cir.sample.studio import draw_picture

_MOST = 4  # processes, of about 50 MB each


def draw_in_pool(folder: Path, numbers: Sequence[str]) -> None:
    """Draw the designs of these numbers on all cores."""
    designs = {str(design.id): design for design in catalogue()}
    # Without standard output in the workers it ends with this process, if somebody kills that.
    pool = ProcessPoolExecutor(min(_MOST, usable_cores()), initializer=os.close, initargs=(1,))
    try:
        for _ in pool.map(draw_picture, map(designs.__getitem__, numbers), repeat(folder)):
            os.write(1, pickle.dumps(None))
    except (BrokenPipeError, BrokenExecutor):
        pass  # nobody waits any more; or a worker was killed, which ending without a word tells
    except (OSError, RecomposeError) as error:
        os.write(1, pickle.dumps(error))
    finally:
        pool.shutdown(cancel_futures=True)


if __name__ == "__main__":
    draw_in_pool(Path(sys.argv[1]), sys.argv[2:])
