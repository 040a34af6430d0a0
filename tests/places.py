"""Where things lie that tests read."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
GOLDEN = REPOSITORY / "tests" / "cir" / "encoders" / "golden"
"""Tiny checkpoints of the large encoders, and what the reference code makes of them."""
