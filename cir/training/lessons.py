"""Teaching the tower's late stages what a garment is: its attributes, read from the picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from cir.training.attributes import Reader, Scores, attribute_loss, attribute_sizes
from cir.training.checkpoint import load_checkpoint, save_checkpoint
from cir.training.device import on_device, random_state, set_random_state
from cir.training.features import Early, Half
from cir.training.late import LateStages
from cir.training.products import Products
from cir.training.tower import Tower

BATCH = 96


@dataclass(frozen=True)
class Lessons:
    """How long and how fast the tower learns.

    `mixing` is the parameter of the beta distribution from which the shares of two pictures in one
    are drawn (mixup, Zhang et al. 2018); 0 mixes nothing.
    """

    epochs: int
    rate: float = 4e-4
    head_rate: float = 2e-3
    weight_decay: float = 0.05
    dropout: float = 0.2
    mixing: float = 0.4


def teach(
    tower: Tower,
    products: Products,
    early: Early,
    rows: NDArray[np.int64],
    lessons: Lessons,
    *,
    seed: int,
    checkpoint: Path,
    identity: Mapping[str, object],
) -> Reader:
    """Fit the late stages to the rows' attributes; continues from the checkpoint of an epoch.

    A checkpoint is written after every epoch. Returns what reads the attributes.
    """
    random = np.random.default_rng([seed, 1])
    torch.manual_seed(seed)
    reader = Reader(attribute_sizes(products), tower.channels, lessons.dropout)
    late = tower.late.requires_grad_(True)
    stages = LateStages(tower)
    optimiser = torch.optim.AdamW(
        [
            {"params": list(late.parameters()), "lr": lessons.rate},
            {"params": list(reader.parameters()), "lr": lessons.head_rate},
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
        "reader": reader,
        "optimiser": optimiser,
        "schedule": schedule,
    }
    start = 0
    if held := load_checkpoint(checkpoint, identity):
        start = held["epoch"]
        for name, part in parts.items():
            part.load_state_dict(held[name])
        random.bit_generator.state = held["random"]
        set_random_state(held["torch_random"])
    reader.train()
    progress = tqdm(total=lessons.epochs * steps, initial=start * steps, desc="lessons")
    for epoch in range(start, lessons.epochs):
        order = random.permutation(rows)
        for step in range(steps):
            chosen = order[step * BATCH : (step + 1) * BATCH]
            cells, palette, mixture = _mixed(stages, early, chosen, lessons.mixing, random)
            loss = _loss(reader(cells, palette), products, chosen, mixture)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            progress.update()
            progress.set_postfix(loss=f"{float(loss.detach()):.2f}")
        states = {name: part.state_dict() for name, part in parts.items()}
        states |= {"epoch": epoch + 1, "random": random.bit_generator.state}
        save_checkpoint(checkpoint, identity, states | {"torch_random": random_state()})
    progress.close()
    late.requires_grad_(False)
    return reader.requires_grad_(False).eval()


@dataclass(frozen=True)
class Mixture:
    """Each picture's share, in 0.5..1, and which picture of the batch `(n,)` has the rest."""

    share: float
    partners: NDArray[np.int64]


def _mixed(
    stages: LateStages,
    early: Early,
    rows: NDArray[np.int64],
    mixing: float,
    random: Generator,
) -> tuple[Tensor, Tensor, Mixture]:
    """Cells and palettes of the rows in variants drawn at random, mixed after the early stages."""
    share = float(random.beta(mixing, mixing)) if mixing else 1.0
    mixture = Mixture(max(share, 1 - share), random.permutation(len(rows)))
    variants = random.integers(0, len(early.deep), len(rows))

    def mix(values: Half) -> Tensor:
        whole = on_device(values[variants, rows]).float()
        return torch.lerp(whole[mixture.partners], whole, mixture.share)

    cells = torch.cat([mix(early.shallow), stages(mix(early.deep))], dim=-1)
    return cells, mix(early.palette), mixture


def _loss(scores: Scores, products: Products, rows: NDArray[np.int64], mixture: Mixture) -> Tensor:
    parts = []
    for chosen in (rows, rows[mixture.partners]):
        codes = {name: on_device(each[chosen]) for name, each in products.codes.items()}
        stated = on_device(products.features[chosen]).float()
        parts.append(attribute_loss(scores, codes, stated))
    return mixture.share * parts[0] + (1 - mixture.share) * parts[1]
