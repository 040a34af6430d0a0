"""`python -m cir`."""

import atexit
import gc

# Imports make hundreds of thousands of objects that all stay: to look through them for garbage, as
# they are made and once more at the end, took a fifth of a search's time.
gc.set_threshold(50_000)
atexit.register(gc.freeze)

from cir.cli import app  # noqa: E402

if __name__ == "__main__":
    app(prog_name="python -m cir")
