"""`python -m cir`."""

import atexit
import gc

# Imports make some 200,000 objects that all stay. To look through them for garbage, again and again
# and once more at the end, took a fifth of a search's time.
gc.set_threshold(300_000)
atexit.register(gc.freeze)

from cir.cli.app import app  # noqa: E402

if __name__ == "__main__":
    app(prog_name="python -m cir")
