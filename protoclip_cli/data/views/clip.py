"""The light crop CLIP is trained with: open_clip's default, and ProtoCLIP's."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from protoclip_cli.core.types import Preprocess
from protoclip_cli.data.views._torchvision import SeededTransform, crop_draft, interpolation
from protoclip_cli.data.views.base import ImageViewSpec

_MIN_RATIO, _MAX_RATIO = 3 / 4, 4 / 3


class ClipView(ImageViewSpec):
    """A random crop of nearly the whole image, resized."""

    kind: Literal["clip"] = "clip"
    """A random crop of nearly the whole image, resized."""
    min_scale: float = Field(0.9, gt=0, le=1)
    """Smallest share of the image's area that a crop may have."""
    max_scale: float = Field(1.0, gt=0, le=1)
    """Largest share of the image's area that a crop may have."""

    @model_validator(mode="after")
    def _ordered(self) -> ClipView:
        if self.min_scale > self.max_scale:
            raise ValueError("min_scale is larger than max_scale")
        return self

    def build(self, preprocess: Preprocess) -> SeededTransform:
        from torchvision.transforms import v2

        crop = v2.RandomResizedCrop(
            preprocess.size,
            scale=(self.min_scale, self.max_scale),
            ratio=(_MIN_RATIO, _MAX_RATIO),
            interpolation=interpolation("bicubic"),
        )
        return SeededTransform(crop, preprocess.size, crop_draft(preprocess.size, self.min_scale, _MIN_RATIO))
