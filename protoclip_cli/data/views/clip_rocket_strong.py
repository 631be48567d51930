"""The strong image policy of clip-rocket: crop, jitter, grey, blur, solarise and flip.

https://github.com/facebookresearch/clip-rocket. With `pair: byol` the two unlike views of Grill et al.,
Bootstrap Your Own Latent, 2020 (https://arxiv.org/abs/2006.07733). The original normalised with ImageNet's
mean and deviation; here these belong to the model's preprocessing, whose own are used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from PIL import ImageFilter
from PIL.Image import Image
from pydantic import Field, model_validator

from protoclip_cli.core.types import Preprocess
from protoclip_cli.data.views._torchvision import SeededTransform, crop_draft, interpolation
from protoclip_cli.data.views.base import ImageViewSpec
from protoclip_cli.data.views.clip_rocket_weak import RATIO
from protoclip_cli.data.views.clip_rocket_weak import SCALE as WEAK_SCALE

_BLUR, _SOLARIZE = 0.5, 0.0
_JITTER_PROBABILITY = 0.8
_BYOL_SATURATION = 0.2
_BYOL = ({"blur": 1.0, "solarize": 0.0}, {"blur": 0.1, "solarize": 0.2})
_RADIUS = (0.1, 2.0)
_HALF = 128


class ClipRocketStrongView(ImageViewSpec):
    """clip-rocket's strong view."""

    kind: Literal["clip_rocket_strong"] = "clip_rocket_strong"
    """clip-rocket's strong view: crop, jitter, grey, blur, solarise and flip."""
    min_scale: float = Field(0.08, gt=0, le=1)
    """Smallest share of the image's area that a crop may have."""
    max_scale: float = Field(1.0, gt=0, le=1)
    """Largest share of the image's area that a crop may have."""
    grey: float = Field(0.2, ge=0, le=1)
    """How often colours are taken away."""
    blur: float = Field(_BLUR, ge=0, le=1)
    """How often an image is blurred."""
    solarize: float = Field(_SOLARIZE, ge=0, le=1)
    """How often bright pixels are inverted."""
    flip: float = Field(0.5, ge=0, le=1)
    """How often left and right are exchanged."""
    size: int | None = Field(None, gt=0)
    """Side in pixels, for an image tower that takes images of any size. Empty: the model's own."""
    share: float = Field(1.0, ge=0, le=1)
    """Share of the images that get this view, drawn at random. The rest get `clip_rocket_weak`."""
    pair: Literal["none", "byol"] = "none"
    """`byol`: two views that differ. The first is always blurred; the second rarely, and now and then
    solarised; both have half the jitter of the saturation."""

    @model_validator(mode="after")
    def _fits(self) -> ClipRocketStrongView:
        if self.min_scale > self.max_scale:
            raise ValueError("min_scale is larger than max_scale")
        if self.pair == "byol" and (self.blur, self.solarize) != (_BLUR, _SOLARIZE):
            raise ValueError(
                "pair: byol says itself how often to blur and solarize; leave these out, or the pair"
            )
        return self

    def side(self, preprocess: Preprocess) -> int:
        return self.size or preprocess.size

    def mistake(self, views: int) -> str | None:
        if self.pair == "byol" and views != len(_BYOL):
            return f"pair: byol makes two views, and this policy is to make {views}; leave `pair` out"
        return None

    def build(self, preprocess: Preprocess) -> SeededTransform:
        return self.build_number(preprocess, 0)

    def build_number(self, preprocess: Preprocess, number: int) -> SeededTransform:
        from torchvision.transforms import v2

        size, byol = self.side(preprocess), self.pair == "byol"
        often = _BYOL[number % 2] if byol else {"blur": self.blur, "solarize": self.solarize}
        bicubic = interpolation("bicubic")
        strong = v2.Compose(
            [
                v2.RGB(),
                v2.RandomResizedCrop(
                    size, scale=(self.min_scale, self.max_scale), ratio=RATIO, interpolation=bicubic
                ),
                v2.RandomApply(
                    [v2.ColorJitter(0.4, 0.4, _BYOL_SATURATION if byol else 0.4, 0.1)], _JITTER_PROBABILITY
                ),
                v2.RandomGrayscale(self.grey),
                v2.RandomApply([v2.Lambda(blurred)], often["blur"]),
                v2.RandomSolarize(_HALF, often["solarize"]),
                v2.RandomHorizontalFlip(self.flip),
            ]
        )
        draft = crop_draft(size, self.min_scale, RATIO[0])
        if self.share == 1:
            return SeededTransform(strong, size, draft)
        weak = v2.RandomResizedCrop(size, scale=WEAK_SCALE, ratio=RATIO, interpolation=bicubic)
        draft = max(draft, crop_draft(size, WEAK_SCALE[0], RATIO[0]))
        return SeededTransform(_Either(strong, weak, self.share), size, draft)


def blurred(image: Image) -> Image:
    """The image under a Gaussian of random deviation, drawn from torch's generator.

    By Pillow, several times as fast here as torchvision's convolution.
    """
    deviation = float(torch.empty(()).uniform_(*_RADIUS))
    return image.filter(ImageFilter.GaussianBlur(deviation))


@dataclass(frozen=True, slots=True)
class _Either:
    """One of two transforms, by chance."""

    first: Callable[[Image], Any]
    second: Callable[[Image], Any]
    share: float

    def __call__(self, image: Image) -> Image:
        transform = self.first if float(torch.rand(())) < self.share else self.second
        made: Image = transform(image)
        return made
