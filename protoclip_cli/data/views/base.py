"""What an image view is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor

from protoclip_cli.core.spec import Spec


@dataclass(frozen=True, slots=True)
class Preprocess:
    """What a model expects of its images; the fields of open_clip's `preprocess_cfg`."""

    size: int
    """Side of the square input in pixels."""
    mean: tuple[float, float, float] = (0.48145466, 0.4578275, 0.40821073)
    std: tuple[float, float, float] = (0.26862954, 0.26130258, 0.27577711)
    interpolation: str = "bicubic"
    resize_mode: str = "shortest"
    """`shortest` crops the centre, `longest` pads, `squash` changes the aspect."""
    fill_color: int = 0


class ImageView(ABC):
    """A policy, ready to be applied. Normalisation is not its business: the model does that on its device."""

    draft: int | None = None
    """The shorter side of an image may be decoded at any size not below this, in pixels."""

    @abstractmethod
    def __call__(self, images: Sequence[Image], keys: NDArray[np.uint64]) -> Tensor:
        """Make one view of each image.

        Args:
            images: b images in RGB or L.
            keys: (b,), from `compute.randomness.row_keys`: all chance of a view comes from its key.

        Returns:
            (b, 3, H, W), uint8.
        """


class ImageViewSpec(Spec, ABC):
    """How a recipe writes an image view."""

    kind: str

    @abstractmethod
    def build(self, preprocess: Preprocess) -> ImageView:
        """Make the view for a model."""
