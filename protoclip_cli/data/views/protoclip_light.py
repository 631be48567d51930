"""ProtoCLIP's light augmentation: crop, flip, and rarely jitter, grey or blur.

https://github.com/megvii-research/protoclip (`protoclip-light-augmentation`).
"""

from __future__ import annotations

from typing import Literal

from protoclip_cli.core.types import Preprocess
from protoclip_cli.data.views._torchvision import SeededTransform, crop_draft, interpolation
from protoclip_cli.data.views.base import ImageViewSpec

_SCALE = (0.5, 1.0)
_RATIO = (3 / 4, 4 / 3)
_RARELY = 0.2
_KERNEL = 21
_SIGMA = (0.1, 2.0)


class ProtoclipLightView(ImageViewSpec):
    """ProtoCLIP's light augmentation, as published: it has nothing to set."""

    kind: Literal["protoclip_light"] = "protoclip_light"
    """ProtoCLIP's light augmentation: crop, flip, and rarely jitter, grey or blur."""

    def build(self, preprocess: Preprocess) -> SeededTransform:
        from torchvision.transforms import v2

        size = preprocess.size
        # The blur mirrors the image at its border, which must be wider than half the kernel.
        kernel = min(_KERNEL, 2 * size - 1)
        transform = v2.Compose(
            [
                v2.RGB(),
                v2.RandomResizedCrop(
                    size, scale=_SCALE, ratio=_RATIO, interpolation=interpolation("bicubic")
                ),
                v2.RandomHorizontalFlip(0.5),
                v2.RandomApply([v2.ColorJitter(0.8, 0.8, 0.8, 0.2)], _RARELY),
                v2.RandomGrayscale(_RARELY),
                v2.RandomApply([v2.GaussianBlur(kernel, _SIGMA)], _RARELY),
            ]
        )
        return SeededTransform(transform, size, crop_draft(size, _SCALE[0], _RATIO[0]))
