"""The model's own preprocessing, without chance: what open_clip evaluates with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor

from protoclip_cli.core.types import Preprocess
from protoclip_cli.data.views._torchvision import interpolation, stack
from protoclip_cli.data.views.base import ImageView, ImageViewSpec

# Beyond this aspect only the middle is resized: a strip of 10,000 x 1 would become one of 2,240,000 x 224.
_STRIP = 16


class Evaluate(ImageView):
    """Resize, and crop the centre or pad.

    Images are decoded in full, because scores are compared with those of others: a JPEG decoded at half its
    size is another image after resizing.
    """

    def __init__(self, preprocess: Preprocess) -> None:
        """Look up the mode.

        Args:
            preprocess: what the model expects.

        Raises:
            ValueError: no such mode of resizing.
        """
        modes = {"shortest", "longest", "squash"}
        if preprocess.resize_mode not in modes:
            raise ValueError(f"resize_mode '{preprocess.resize_mode}' is none of {', '.join(sorted(modes))}")
        self._preprocess = preprocess

    def __call__(self, images: Sequence[Image], keys: NDArray[np.uint64]) -> Tensor:  # noqa: ARG002 (no chance)
        side = self._preprocess.size
        make: dict[str, Callable[[Image], Image]] = {
            "shortest": self._shortest,
            "longest": self._longest,
            "squash": self._squash,
        }
        one = make[self._preprocess.resize_mode]
        # What has the right size already stays as it is in every mode.
        made = (image if image.size == (side, side) else one(image) for image in images)
        return stack(made, len(images), side)

    def _resize(self, image: Image, size: list[int]) -> Image:
        from torchvision.transforms.v2 import functional

        resized: Image = functional.resize(image, size, interpolation(self._preprocess.interpolation))
        return resized

    def _squash(self, image: Image) -> Image:
        return self._resize(image, [self._preprocess.size] * 2)

    def _shortest(self, image: Image) -> Image:
        from torchvision.transforms.v2 import functional

        side = self._preprocess.size
        shorter, longer = min(image.size), max(image.size)
        if longer > _STRIP * shorter:
            width, height = (min(edge, _STRIP * shorter // 2) for edge in image.size)
            image = functional.center_crop(image, [height, width])
        cropped: Image = functional.center_crop(self._resize(image, [side]), [side, side])
        return cropped

    def _longest(self, image: Image) -> Image:
        from torchvision.transforms.v2 import functional

        side = self._preprocess.size
        ratio = max(image.size) / side
        width, height = (max(1, round(edge / ratio)) for edge in image.size)
        resized = self._resize(image, [height, width])
        left, top = (side - width) // 2, (side - height) // 2
        padding = [left, top, side - width - left, side - height - top]
        padded: Image = functional.pad(resized, padding, fill=self._preprocess.fill_color)
        return padded


class EvalView(ImageViewSpec):
    """The model's own preprocessing, without chance."""

    kind: Literal["eval"] = "eval"
    """The model's own preprocessing, without chance."""

    def build(self, preprocess: Preprocess) -> Evaluate:
        return Evaluate(preprocess)
