"""`python -m cir`, and the command `recompose` of an installed package."""

import atexit
import gc


def main() -> None:
    """Run the command line on the arguments of this process."""
    # Imports make some 200,000 objects that all stay. To look through them for garbage, again and
    # again and once more at the end, took a fifth of a search's time.
    gc.set_threshold(300_000)
    atexit.register(gc.freeze)

    from cir.cli.app import app

    app()


if __name__ == "__main__":
    main()
