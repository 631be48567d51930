"""The weak image policy of Improving CLIP training with language and image augmentation: a crop.

clip-rocket (https://github.com/facebookresearch/clip-rocket) normalised with ImageNet's mean and deviation.
Here these belong to the model's preprocessing, whose own are used.
"""

from __future__ import annotations

from typing import Literal

from protoclip_cli.core.types import Preprocess
from protoclip_cli.data.views._torchvision import SeededTransform, crop_draft, interpolation
from protoclip_cli.data.views.base import ImageViewSpec

SCALE = (0.5, 1.0)
RATIO = (3 / 4, 4 / 3)


class ClipRocketWeakView(ImageViewSpec):
    """clip-rocket's weak view, as published: it has nothing to set."""

    kind: Literal["clip_rocket_weak"] = "clip_rocket_weak"
    """clip-rocket's weak view: a random crop of half the image or more, resized."""

    def build(self, preprocess: Preprocess) -> SeededTransform:
        from torchvision.transforms import v2

        size = preprocess.size
        crop = v2.RandomResizedCrop(size, scale=SCALE, ratio=RATIO, interpolation=interpolation("bicubic"))
        return SeededTransform(crop, size, crop_draft(size, SCALE[0], RATIO[0]))
