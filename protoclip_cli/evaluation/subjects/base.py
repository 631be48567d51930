"""What all that can be evaluated has in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.store.run import RunFolder

Weights = Literal["last", "average"]
Note = Callable[[str], None]
"""Takes one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a user names a model: a path, or the name of an architecture with its weights."""

    path: str | None = None
    """A run, a checkpoint, a folder of open_clip or a file of weights."""
    model: str | None = None
    """An architecture of open_clip; `timm:NAME` or `torchvision:NAME`. With a file: what the file is of."""
    pretrained: str | None = None
    """A tag of published weights, or a file."""
    episode: int | None = None
    """Of a run: which episode's checkpoint. None: the last."""
    weights: Weights = "last"
    """Of a run or checkpoint: the last ones, or the average that its recipe asked for."""
    before: str | None = None
    """A path to the same model before it was fine-tuned, to take weights between the two (WiSE-FT)."""
    alpha: float = 1.0
    """How far from `before` to `path`."""

    @property
    def name(self) -> str:
        """What tables call it.

        >>> Wanted("runs/a", episode=3).name, Wanted(model="RN50", pretrained="openai").name
        ('runs/a@3', 'RN50 openai')
        """
        if self.path is not None:
            name = self.path if self.episode is None else f"{self.path}@{self.episode}"
            name = name if self.weights == "last" else f"{name} {self.weights}"
            return name if self.before is None else f"{name} alpha={self.alpha:g}"
        return f"{self.model} {self.pretrained or 'random'}"


@dataclass(frozen=True, slots=True)
class Subject:
    """A model, and where in which run it comes from, if from one."""

    model: DualEncoder
    run: RunFolder | None = None
    episode: int | None = None
    step: int | None = None
