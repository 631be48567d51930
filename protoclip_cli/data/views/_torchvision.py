"""What the views that are made with torchvision, image by image, have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor

from protoclip_cli.data.views.base import ImageView


def stack(images: Iterable[Image], count: int, size: int) -> Tensor:
    """Square images as one tensor; grey ones get three equal bands.

    Args:
        images: `count` images of `size` x `size` in RGB or L.
        count: how many there are.
        size: side in pixels.

    Returns:
        (count, 3, size, size), uint8.
    """
    pixels = np.empty((count, 3, size, size), np.uint8)
    for place, image in enumerate(images):
        array = np.asarray(image)
        pixels[place] = array if array.ndim == 2 else array.transpose(2, 0, 1)
    return torch.from_numpy(pixels)


def interpolation(name: str) -> Any:
    """Torchvision's name of an interpolation. As in open_clip, whatever is not bilinear is bicubic."""
    from torchvision.transforms.v2 import InterpolationMode

    return InterpolationMode.BILINEAR if name == "bilinear" else InterpolationMode.BICUBIC


def crop_draft(size: int, scale: float, ratio: float) -> int:
    """The shorter side an image needs so that no random crop of it has to be enlarged.

    The smallest crop has `scale` of the area, which is at least the square of the shorter side; at the most
    extreme aspect its own shorter side is sqrt(scale * ratio) of that.

    Args:
        size: what the crop is resized to, in pixels.
        scale: smallest share of the area.
        ratio: smallest width over height.

    >>> crop_draft(224, 0.9, 3 / 4)
    273
    """
    return math.ceil(size / math.sqrt(scale * ratio))


class SeededTransform(ImageView):
    """A torchvision transform that draws from the row's key instead of from the generator others share."""

    def __init__(self, transform: Callable[[Image], Image], size: int, draft: int) -> None:
        """Keep the transform.

        Args:
            transform: makes an image of `size` x `size`, drawing from torch's generator for the CPU.
            size: side in pixels.
            draft: see `ImageView`.
        """
        self.draft = draft
        self._transform = transform
        self._size = size

    def __call__(self, images: Sequence[Image], keys: NDArray[np.uint64]) -> Tensor:
        with torch.random.fork_rng(devices=[]):
            return stack(map(self._one, images, keys), len(images), self._size)

    def _one(self, image: Image, key: np.uint64) -> Image:
        # `torch.manual_seed` would also seed the accelerators, which `fork_rng` does not put back here.
        torch.default_generator.manual_seed(int(key) & (2**63 - 1))
        return self._transform(image)
