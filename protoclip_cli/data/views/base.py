"""What an image view is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor

from protoclip_cli.core.spec import Spec
from protoclip_cli.core.types import Preprocess


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


def smallest_draft(views: Iterable[ImageView]) -> int | None:
    """The draft that is large enough for all of them."""
    drafts = [view.draft for view in views]
    return None if None in drafts else max(draft for draft in drafts if draft is not None)


class ImageViewSpec(Spec, ABC):
    """How a recipe writes an image view."""

    kind: str

    @abstractmethod
    def build(self, preprocess: Preprocess) -> ImageView:
        """Make the view for a model."""

    def build_number(self, preprocess: Preprocess, number: int) -> ImageView:  # noqa: ARG002
        """Make one of the policy's views: number 0 is the first *of this policy*. Here all are alike."""
        return self.build(preprocess)

    def side(self, preprocess: Preprocess) -> int:
        """Side of its views in pixels. Where not the model's, the tower must take images of any size."""
        return preprocess.size

    def mistake(self, views: int) -> str | None:  # noqa: ARG002
        """Why this policy cannot make so many views, or None."""
        return None
