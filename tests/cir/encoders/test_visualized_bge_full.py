"""Visualized BGE base at its real size: generated weights, outputs of the reference code."""

import ast
import csv
import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

from cir.encoders.on_torch.pixels import MEAN, STD, pixel_rows
from cir.encoders.visualized_bge.encoder import load_network
from tests.places import REPOSITORY

NEEDED_BYTES = 4 * 2**30
SHARED = Path(os.environ.get("CIR_SHARED_DATA") or REPOSITORY.parent / "shared")
FOLDER = SHARED / "golden" / "visualized_bge"


def test_the_full_size_gives_the_reference_codes_rows(tmp_path: Path) -> None:
    if not FOLDER.is_dir():
        pytest.skip("the folder of golden outputs (CIR_SHARED_DATA) is not there")
    if _free_bytes() < NEEDED_BYTES:
        pytest.skip("less than 4 GB of memory are free")
    told = json.loads((FOLDER / "full-base.json").read_text())
    checkpoint = tmp_path / "full-base.pth"
    _write(checkpoint)
    network = load_network(checkpoint)
    pictures = [Image.open(FOLDER / name).convert("RGB") for name in told["images"]]
    batch = torch.from_numpy(pixel_rows(pictures, 224)).permute(0, 3, 1, 2) / 255
    pixels = (batch - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    with torch.inference_mode():
        image = network.image_tokens(pixels)
        for at, ids in enumerate(told["input_ids"]):
            row = torch.tensor([ids])
            _require_close(network.texts(row)[0], told["text"][at])
            _require_close(network.composed(image[at : at + 1], row)[0], told["composed"][at])
            empty = torch.tensor([[ids[0], ids[-1]]])
            _require_close(network.composed(image[at : at + 1], empty)[0], told["image"][at])


def _require_close(row: torch.Tensor, expected: list[float]) -> None:
    np.testing.assert_allclose(row.numpy(), expected, rtol=0, atol=1e-5)


def _write(path: Path) -> None:
    """The checkpoint whose tensors are functions of their names and shapes."""
    generate = _module(FOLDER / "weights.py").tensor
    held = {}
    with (FOLDER / "full-base.keys.tsv").open(newline="") as file:
        for name, text in csv.reader(file, delimiter="\t"):
            shape = ast.literal_eval(text)
            unread = "rope" in name or shape == ()
            held[name] = (
                torch.zeros(shape) if unread else torch.from_numpy(generate(name, shape))
            ).half()
    torch.save(held, path)


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("golden_weights", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _free_bytes() -> int:
    """Memory that Linux says could be had; elsewhere as much as it needs."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return NEEDED_BYTES
    kilobytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable"))
    return int(kilobytes) * 1024
