"""The colours of a picture as a histogram, in operations that the image graph can hold."""

import torch
from torch import Tensor
from torch.nn import functional

_SIDE = 32  # pixels a side that the colours are read from; that of a picture is a multiple
LIGHTNESS, CHROMA = 6, 9
BINS = LIGHTNESS * CHROMA**2
_GROUND = 0.08  # distance from the border's colour, in 0..1 a channel, at which the subject begins
_SPREAD = 0.35  # of the weight that the middle of the picture has, in shares of its side


def palette(colours: Tensor) -> Tensor:
    """Colours `(n, 3, h, w)` in 0..1 to `(n, 486)`: square roots of shares that add up to 1.

    A pixel counts by its distance from the mean colour of the border and from the middle, and is
    shared by the bins nearest to it in luma and in the signed roots of two colour differences.
    """
    small = functional.avg_pool2d(colours, colours.shape[-1] // _SIDE)
    border = torch.cat(
        [small[:, :, 0], small[:, :, -1], small[:, :, :, 0], small[:, :, :, -1]], dim=-1
    ).mean(dim=-1)
    distance = (small - border[..., None, None]).abs().mean(dim=1)
    line = torch.linspace(-0.5, 0.5, _SIDE, device=colours.device)
    middle = torch.exp(-((line / _SPREAD) ** 2))
    weight = torch.sigmoid((distance - _GROUND) * 50) * middle * middle[:, None] + 1e-4
    weight = weight.flatten(1)
    weight = weight / weight.sum(dim=1, keepdim=True)
    red, green, blue = small.flatten(2).unbind(1)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    light = _shared(luma, LIGHTNESS, 0.0, 1.0)
    warm = _shared(_signed_root(red - luma), CHROMA, -0.84, 0.84)
    cool = _shared(_signed_root(blue - luma), CHROMA, -0.94, 0.94)
    both = (warm[..., None] * cool[..., None, :]).flatten(2)
    shares = (light * weight[..., None]).transpose(1, 2) @ both
    return (shares.flatten(1) + 1e-6).sqrt()


def _signed_root(values: Tensor) -> Tensor:
    """Spreads the many colours that are nearly grey."""
    return values.sign() * (values.abs() + 1e-6).sqrt()


def _shared(values: Tensor, bins: int, low: float, high: float) -> Tensor:
    """`(..., bins)`: each value's shares in the two bins nearest to it."""
    places = (values - low) / (high - low) * (bins - 1)
    numbers = torch.arange(bins, device=values.device)
    return (1 - (places.clamp(0, bins - 1)[..., None] - numbers).abs()).clamp(min=0)
