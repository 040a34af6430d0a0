"""Teaching the tower's late stages what a garment is: its attributes, read from the picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from cir.training.checkpoint import load_checkpoint, save_checkpoint
from cir.training.features import Half, as_tensor
from cir.training.products import ATTRIBUTES, FEATURES, Products
from cir.training.tower import Tower

BATCH = 96
SMOOTHING = 0.1


@dataclass(frozen=True)
class Lessons:
    """How long and how fast the tower learns."""

    epochs: int = 5
    rate: float = 4e-4
    head_rate: float = 2e-3
    weight_decay: float = 0.05
    dropout: float = 0.2


class Heads(nn.Module):
    """One linear classifier an attribute, and one score a feature, on the mean of all cells."""

    def __init__(self, products: Products, channels: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(channels)
        self.drop = nn.Dropout(dropout)
        self.attributes = nn.ModuleDict(
            {
                name: nn.Linear(channels, len(products.values[name]))
                for name in ATTRIBUTES
                if products.values[name]
            }
        )
        self.features = nn.Linear(channels, len(FEATURES))

    def forward(self, cells: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        pooled = self.drop(self.norm(cells.mean(dim=1)))
        return {name: head(pooled) for name, head in self.attributes.items()}, self.features(pooled)


def teach(
    tower: Tower,
    products: Products,
    early: tuple[Half, Half],
    rows: NDArray[np.int64],
    lessons: Lessons,
    *,
    seed: int,
    checkpoint: Path,
    identity: Mapping[str, object],
) -> None:
    """Fit the late stages to the rows' attributes; continues from the checkpoint of an epoch.

    A checkpoint is written after every epoch.
    """
    deep, shallow = early
    if not lessons.epochs:
        return
    random = np.random.default_rng([seed, 1])
    torch.manual_seed(seed)
    heads = Heads(products, tower.channels, lessons.dropout)
    late = tower.late.requires_grad_(True)
    for weights in late.parameters():
        if weights.dim() == 4:
            weights.data = weights.data.contiguous(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(
        [
            {"params": list(late.parameters()), "lr": lessons.rate},
            {"params": list(heads.parameters()), "lr": lessons.head_rate},
        ],
        weight_decay=lessons.weight_decay,
    )
    steps = max(1, len(rows) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        [lessons.rate, lessons.head_rate],
        total_steps=lessons.epochs * steps,
        pct_start=0.15,
    )
    parts: dict[str, Any] = {
        "late": late,
        "heads": heads,
        "optimiser": optimiser,
        "schedule": schedule,
    }
    start = 0
    if held := load_checkpoint(checkpoint, identity):
        start = held["epoch"]
        for name, part in parts.items():
            part.load_state_dict(held[name])
        random.bit_generator.state = held["random"]
        torch.set_rng_state(held["torch_random"])
    heads.train()
    progress = tqdm(total=lessons.epochs * steps, initial=start * steps, desc="lessons")
    for epoch in range(start, lessons.epochs):
        order = random.permutation(rows)
        for step in range(steps):
            chosen = order[step * BATCH : (step + 1) * BATCH]
            loss = _lesson(tower, heads, products, deep, shallow, chosen, random)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            progress.update()
            progress.set_postfix(loss=f"{float(loss.detach()):.2f}")
        states = {name: part.state_dict() for name, part in parts.items()}
        states |= {"epoch": epoch + 1, "random": random.bit_generator.state}
        save_checkpoint(checkpoint, identity, states | {"torch_random": torch.get_rng_state()})
    progress.close()
    late.requires_grad_(False)


def _lesson(
    tower: Tower,
    heads: Heads,
    products: Products,
    deep: Half,
    shallow: Half,
    rows: NDArray[np.int64],
    random: Generator,
) -> Tensor:
    variants = random.integers(0, len(deep), len(rows))
    cells = torch.cat(
        [as_tensor(shallow[variants, rows]), tower.late_part(as_tensor(deep[variants, rows]))],
        dim=-1,
    )
    attributes, features = heads(cells)
    loss = torch.zeros(())
    for name, scores in attributes.items():
        codes = torch.from_numpy(products.codes[name][rows])
        if (codes >= 0).any():
            loss = loss + functional.cross_entropy(
                scores, codes, ignore_index=-1, label_smoothing=SMOOTHING
            )
    stated = torch.from_numpy(products.features[rows]).float()
    return loss + 10 * functional.binary_cross_entropy_with_logits(features, stated)
