"""How the originals train linear heads, and on which grids they search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from protoclip_cli.evaluation.decay_search import COUNT
from protoclip_cli.evaluation.linear_head import HeadTraining

Original = Literal["protoclip", "itra"]


@dataclass(frozen=True, slots=True)
class GradientProbe:
    """A way to train a head, with its rate and weight decay."""

    training: HeadTraining
    rate: float
    decay: float


_WHOLE = HeadTraining(epochs=100, batch=1024, shuffle=False, schedule="cosine_epochs", start="normal")
GRADIENT_PROBES: Mapping[Original, GradientProbe] = {
    "protoclip": GradientProbe(_WHOLE, 0.1, 1e-6),
    "itra": GradientProbe(_WHOLE, 0.004, 0.0),
}

CLIP_BENCHMARK = HeadTraining(
    optimizer="adamw", epochs=10, batch=64, shuffle=True, schedule="cosine_steps", normalize="unit"
)
CLIP_BENCHMARK_RATE = 0.1
CLIP_BENCHMARK_DECAYS = tuple(float(decay) for decay in np.logspace(-6, 2, COUNT))

ELEVATER_RATES = tuple(float(rate) for rate in np.logspace(-6, -1, 6))
ELEVATER_DECAYS = tuple(float(decay) for decay in np.logspace(-6, 6, COUNT))
ELEVATER_EPOCHS, ELEVATER_FINAL_EPOCHS = 10, 50


def elevater(epochs: int) -> HeadTraining:
    """ELEVATER's head: batch norm without scale and shift, then a linear layer; constant rate."""
    return HeadTraining(epochs=epochs, batch=64, shuffle=True, schedule="constant", normalize="batch")


STRENGTHS: Mapping[Original, float] = {"protoclip": 0.316, "itra": 3.16}
"""C of scikit-learn's regression."""
ITRA_STRENGTHS = {
    "mnist": 0.1,
    "cifar10": 2.0,
    "cifar100": 0.1,
    "stl10": 0.01,
    "stanford_cars": 0.1,
    "dtd": 0.1,
    "food101": 0.1,
    "pets": 0.1,
    "rendered_sst2": 0.1,
    "imagenet": 8.0,
}
"""ITRA's C for each data set; others have that of `STRENGTHS`."""
