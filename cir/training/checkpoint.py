"""Checkpoints: what a stopped training continues from."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

log = logging.getLogger(__name__)


def save_checkpoint(path: Path, identity: Mapping[str, object], state: Mapping[str, Any]) -> None:
    """Write the state; an earlier checkpoint stays until it is complete."""
    partial = path.with_suffix(".partial")
    torch.save({"identity": dict(identity), **state}, partial)
    partial.replace(path)


def load_checkpoint(path: Path, identity: Mapping[str, object]) -> dict[str, Any] | None:
    """What was saved, or None where there is nothing or it belongs to another training."""
    if not path.exists():
        return None
    held: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    if held["identity"] != dict(identity):
        log.warning("%s belongs to other settings or data: starting anew", path)
        return None
    return held
