"""`python -m cir`."""

from cir.cli import app

if __name__ == "__main__":
    app(prog_name="python -m cir")
