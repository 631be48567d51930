"""Clean views and augmented ones, as the methods of clip-rocket read them.

Fini et al., Improved baselines for vision-language pre-training, 2023. https://arxiv.org/abs/2305.08675
View 0 of each side is clean. Every augmented image meets every augmented text, A x A pairs of views.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor

from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Features
from protoclip_cli.objectives.base import ObjectiveSpec, projected


class AugmentedSpec(ObjectiveSpec):
    """Settings of an objective that reads one clean view of each side and some augmented ones."""

    augmented_views: int = Field(2, ge=0)
    """A, how many views of each side there are besides the clean one."""
    head: str | None = None
    """The head whose projections of the clean views are read. Null: the embedding itself."""
    augmented_head: str | None = None
    """The head for the augmented views; another name is a separate projector. Null: the same head."""

    def needs(self) -> Needs:
        """The views of both sides with their heads."""
        heads = {self.head, self.head_of_augmented if self.augmented_views else self.head}
        views = 1 + self.augmented_views
        return Needs(image_views=views, text_views=views, heads=frozenset(h for h in heads if h is not None))

    @property
    def head_of_augmented(self) -> str | None:
        """The head that is read of augmented views."""
        return self.head if self.augmented_head is None else self.augmented_head

    def clean(self, views: Sequence[Features]) -> Tensor:
        """(1, B, P), projections of the clean view, any length."""
        return projected(views[0], self.head)[None]

    def augmented(self, views: Sequence[Features]) -> Tensor:
        """(A, B, P), projections of the augmented views, any length. At least one."""
        return stacked(views[1 : 1 + self.augmented_views], self.head_of_augmented)


def stacked(views: Sequence[Features], head: str | None) -> Tensor:
    """(A, B, P), a head's projections of some views; of None the embeddings."""
    return torch.stack([projected(view, head) for view in views])
