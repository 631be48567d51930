"""Choosing between few candidates: captions of one image, images of one caption.

Winoground (Thrush et al., 2022, https://arxiv.org/abs/2204.03162) has two of each, and SugarCrepe (Hsieh et
al., 2023, https://arxiv.org/abs/2306.14610) one image and two captions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from protoclip_cli.metrics.ranking import Floats, unit


@dataclass(frozen=True, slots=True)
class ChoiceAccuracy:
    """Shares of groups, between 0 and 1."""

    text: float
    """Every image is nearest to its own caption."""
    image: float
    """Every caption that has an image is nearest to it. With one image there is no choice: 1."""
    both: float


def choice_accuracy(images: Floats, texts: Floats) -> ChoiceAccuracy:
    """How often groups of few images and captions are told apart. Equal scores are no success.

    Args:
        images: (n, I, D), any length.
        texts: (n, T, D), any length, T >= I; text i belongs to image i.

    Raises:
        ProtoclipError: a feature is not finite.

    >>> choice_accuracy(np.array([[[1.0, 0.0]]]), np.array([[[1.0, 0.1], [0.0, 1.0]]]))
    ChoiceAccuracy(text=1.0, image=1.0, both=1.0)
    """
    groups, count, width = images.shape
    left = unit(images.reshape(-1, width), "images").reshape(groups, count, width)
    right = unit(texts.reshape(-1, width), "captions").reshape(groups, -1, width)
    scores = np.einsum("nid,ntd->nit", left, right)
    own = np.einsum("nii->ni", scores[:, :, :count])
    text = (scores >= own[:, :, None]).sum(axis=2).max(axis=1) == 1
    image = (scores[:, :, :count] >= own[:, None, :]).sum(axis=1).max(axis=1) == 1
    return ChoiceAccuracy(float(text.mean()), float(image.mean()), float((text & image).mean()))
