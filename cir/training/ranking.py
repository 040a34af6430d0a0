"""The last of the training: what is wished and what counts how much, by how pictures rank.

The fusion has learned from training pictures that the tower knows by heart. Here all pictures, the
queries' and those ranked, are what a tower that was not taught on them reads of them, so that what
is doubtful counts as little as it should for new pictures. What is asked learns to go before what
is kept. The embedding's learned part, which no tower was kept from, has no say in it.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from cir.training.attribute_space import AttributeSpace
from cir.training.device import on_device
from cir.training.features import Half
from cir.training.loosening import right_and_hidden, with_slots
from cir.training.questions import Asked, Questions
from cir.training.wishes import Wishes

RATE = 5e-4  # of what has learned already
FIRST_RATE = 1e-2  # of what has not
WEIGHT_DECAY = 0.01
WISH_WEIGHT = 0.3  # of the wishes' own loss, which keeps them wishes
SHARPNESS = 11.0  # of the scores before the softmax, at first
NEVER = -1e4


def counted_readings(space: AttributeSpace, readings: Half, drawn: NDArray[np.bool_]) -> Half:
    """Readings `(v, n, used)` as far as they count, of drawings where `drawn` `(n,)`."""
    each = on_device(drawn)[:, None].float()
    shares = space.counted(torch.ones(len(drawn), space.used), torch.ones_like(each), each)
    counted: Half = readings * shares.half().cpu().numpy()
    return counted


def fit_ranking(
    wishes: Wishes,
    space: AttributeSpace,
    questions: Questions,
    read_text: Callable[[Sequence[str]], Tensor],
    steps: int,
    random: Generator,
) -> None:
    """Fit the wishes, and the space's weights, whose mean is 1 at the end, and floors.

    Nothing of both learns any more afterwards.

    Args:
        questions: with readings as far as they count; also those of the pictures ranked.
        read_text: texts to `(n, width)`, of which the wishes are read.
    """
    wishes.requires_grad_(True)
    space.requires_grad_(True)
    log_sharpness = nn.Parameter(torch.tensor(SHARPNESS).log())
    by_picture = wishes.sources_by_picture
    taught = [each for each in wishes.parameters() if each is not by_picture]
    logarithms = [*space.parameters(), log_sharpness]  # 0 is no better a value than others
    optimiser = torch.optim.AdamW(
        [
            {"params": taught, "lr": RATE},
            {"params": [by_picture], "lr": FIRST_RATE},
            {"params": logarithms, "lr": FIRST_RATE, "weight_decay": 0.0},
        ],
        weight_decay=WEIGHT_DECAY,
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    giving_up = random.spawn(1)[0]  # its own, so that the questions stay the same ones
    for _ in tqdm(range(steps), desc="ranking", unit="step"):
        asked = questions.asked(questions.batch(random), random)
        asked = with_slots(asked, questions.products)
        with torch.no_grad():
            text = read_text(asked.texts)
        shown = on_device(asked.shown).float()
        gallery, right, hidden = _ranked(questions, asked, random, giving_up)
        scores = space.weighted(wishes(text, shown)) @ space.likelihoods(gallery).T
        loss = ranking_loss(log_sharpness.exp() * scores, right, hidden)
        known = {name: on_device(each) for name, each in asked.known.items()}
        loss = loss + WISH_WEIGHT * wishes.loss(text, shown, asked.wanted, known)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        schedule.step()
    wishes.requires_grad_(False)
    space.requires_grad_(False)
    space.log_weights.sub_(space.log_weights.exp().mean().log())


def ranking_loss(scores: Tensor, right: Tensor, hidden: Tensor) -> Tensor:
    """Mean over queries of the mean cross entropy of each right picture against all wrong ones.

    All are `(n, g)`; `hidden` pictures are neither. Queries without a right one do not count.
    """
    right = right & ~hidden
    wrong = scores.masked_fill(right | hidden, NEVER).logsumexp(dim=1, keepdim=True)
    count = right.sum(dim=1)
    each = (functional.softplus(wrong - scores) * right).sum(dim=1) / count.clamp(min=1)
    return each.sum() / (count > 0).sum().clamp(min=1)


def _ranked(
    questions: Questions, asked: Asked, random: Generator, giving_up: Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Readings `(g, used)` of all pictures like the first reference, photos or drawings.

    They are those of one variant. Also `(n, g)` which are right for each query, none where its
    reference is not like the first, and which are hidden: its reference, and what is too right.
    """
    drawn = questions.products.drawn[asked.references]
    maker = questions.makers[int(drawn[0])]
    rows = maker.rows
    variant = int(random.integers(len(questions.readings)))
    right, hidden = right_and_hidden(asked, maker, giving_up)
    right &= (drawn == drawn[0])[:, None]
    hidden |= (rows == asked.references[:, None]) & asked.has_image[:, None]
    return on_device(questions.readings[variant, rows]).float(), on_device(right), on_device(hidden)
