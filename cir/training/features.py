"""What the image tower's frozen stages see of every photo, cached in several variants."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor
from tqdm import tqdm

from cir.encoders.compact.preprocess import pixels
from cir.images import open_image
from cir.training.device import half_precision, on_device
from cir.training.palette import BINS
from cir.training.tower import CELLS, ROWS, SIDE, Tower

BATCH = 64
Half = NDArray[np.float16]


@dataclass(frozen=True)
class Early:
    """What the frozen stages give for `v` variants of `n` pictures.

    Attributes:
        deep: `(v, n, 80, 14, 14)`, for the late stages. shallow: `(v, n, 25, shallow channels)`.
        palette: `(v, n, 486)`.
    """

    deep: Half
    shallow: Half
    palette: Half

    def part(self, variant: int, rows: NDArray[np.int64]) -> "Early":
        """One variant of some rows, in memory."""
        return Early(*(getattr(self, each.name)[variant, rows][None] for each in fields(self)))


def _plain(image: Image.Image, random: np.random.Generator) -> Image.Image:
    return image


def _mirrored(image: Image.Image, random: np.random.Generator) -> Image.Image:
    return ImageOps.mirror(image)


def _cropped(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """A part of at least 78 % of each side, half of the time mirrored, a little brighter or not."""
    width, height = image.size
    across, down = random.uniform(0.78, 0.98, size=2)
    left, top = random.uniform(0, 1 - across), random.uniform(0, 1 - down)
    edges = (left * width, top * height, (left + across) * width, (top + down) * height)
    x0, y0, x1, y1 = (round(edge) for edge in edges)
    cropped = image.crop((x0, y0, x1, y1))
    if random.random() < 0.5:
        cropped = ImageOps.mirror(cropped)
    return ImageEnhance.Brightness(cropped).enhance(float(random.uniform(0.92, 1.08)))


def _placed(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Smaller, somewhere on a larger ground whose near-white is tinted or grey.

    The colours of the garment stay what they are.
    """
    width, height = image.size
    scale = random.uniform(1.05, 1.5)
    ground = Image.new("RGB", (round(width * scale), round(height * scale)), "white")
    room = (ground.width - width, ground.height - height)
    left, top = (int(random.integers(0, each + 1)) for each in room)
    ground.paste(image, (left, top))
    if random.random() < 0.5:
        ground = ImageOps.mirror(ground)
    values = np.asarray(ground, dtype=np.float32)
    tint = 255.0 - random.uniform(0, 40) * np.array([1.0, 1.0, 1.0]) - random.uniform(0, 12, size=3)
    share = np.clip((values.min(axis=2, keepdims=True) - 225) / 25, 0, 1)
    mixed = values * (1 - share * (1 - tint / 255))
    return Image.fromarray(np.clip(mixed, 0, 255).astype(np.uint8))


VARIANTS: Sequence[Callable[[Image.Image, np.random.Generator], Image.Image]] = (
    _plain, _mirrored, _cropped, _cropped, _placed,
)  # fmt: skip


def cached_early(tower: Tower, photos: Sequence[Path], folder: Path, *, seed: int) -> Early:
    """Of each variant of each photo, memory-mapped from the folder; computed where absent."""
    shapes = (
        (len(VARIANTS), len(photos), *tower.deep_shape),
        (len(VARIANTS), len(photos), CELLS, tower.shallow_channels),
        (len(VARIANTS), len(photos), BINS),
    )
    files = [folder / f"{field.name}.npy" for field in fields(Early)]
    if not all(file.exists() for file in files):
        folder.mkdir(parents=True, exist_ok=True)
        partial = [file.with_suffix(".partial") for file in files]
        held = [
            np.lib.format.open_memmap(path, "w+", np.float16, shape)
            for path, shape in zip(partial, shapes, strict=True)
        ]
        _fill(Early(*held), tower, photos, seed)
        for path, file in zip(partial, files, strict=True):
            path.replace(file)
    return Early(*(np.load(file, mmap_mode="r") for file in files))


def _fill(early: Early, tower: Tower, photos: Sequence[Path], seed: int) -> None:
    random = np.random.default_rng(seed)
    for start in tqdm(range(0, len(photos), BATCH), desc="features", unit="batch"):
        images = [open_image(path) for path in photos[start : start + BATCH]]
        rows = slice(start, start + len(images))
        for variant, vary in enumerate(VARIANTS):
            batch = pixels([vary(image, random) for image in images], SIDE)
            with torch.inference_mode(), half_precision():
                parts = tower.early_part(on_device(batch))
            for field, part in zip(fields(Early), parts, strict=True):
                getattr(early, field.name)[variant, rows] = part.to(torch.float16).cpu().numpy()


def late_features(tower: Tower, early: Early) -> Half:
    """`(variants, n, 26, channels)`: the whole tower's output, from its cached early part."""
    variants, count = early.palette.shape[:2]
    out = np.zeros((variants, count, ROWS, tower.channels), np.float16)
    out[:, :, :CELLS, : tower.shallow_channels] = early.shallow
    out[:, :, CELLS, :BINS] = early.palette
    for variant in range(variants):
        for start in range(0, count, 4 * BATCH):
            rows = slice(start, start + 4 * BATCH)
            with torch.inference_mode(), half_precision():
                cells = tower.late_part(as_tensor(early.deep[variant, rows]))
            out[variant, rows, :CELLS, tower.shallow_channels :] = (
                cells.to(torch.float16).cpu().numpy()
            )
    return out


def as_tensor(values: Half) -> Tensor:
    """float32, in the memory order that convolutions on a CPU like best where there are maps."""
    tensor = on_device(values).float()
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor
