from tests.needs import needs

needs("torch", "training needs requirements-dev.txt")

import torch  # noqa: E402

from cir.training.palette import BINS, palette  # noqa: E402


def picture(colour: tuple[float, float, float], ground: float = 1.0) -> torch.Tensor:
    """A field of the colour in the middle of a plain ground."""
    image = torch.full((1, 3, 224, 224), ground)
    image[0, :, 67:157, 67:157] = torch.tensor(colour)[:, None, None]
    return image


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((palette(one) - palette(other)).norm())


def test_a_palette_is_roots_of_shares() -> None:
    rows = palette(torch.rand(3, 3, 224, 224, generator=torch.Generator().manual_seed(0)))
    assert rows.shape == (3, BINS)
    assert torch.allclose(rows.square().sum(dim=1), torch.ones(3), atol=1e-3)


def test_it_is_of_the_subject_and_not_of_the_ground() -> None:
    red, blue = (0.8, 0.1, 0.1), (0.1, 0.2, 0.8)
    assert distance(picture(red), picture(red, ground=0.85)) < 0.4
    assert distance(picture(red), picture(blue)) > 1.2


def test_near_colours_are_nearer_than_far_ones() -> None:
    navy, blue, green = (0.1, 0.1, 0.35), (0.1, 0.15, 0.5), (0.1, 0.5, 0.15)
    assert distance(picture(navy), picture(blue)) < distance(picture(navy), picture(green))
