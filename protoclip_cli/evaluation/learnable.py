"""Features with what is true about them: what a head learns from and is judged on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from protoclip_cli.compute.randomness import generator
from protoclip_cli.data.benchmarks.base import Labelled
from protoclip_cli.evaluation.embedder import Embedder
from protoclip_cli.evaluation.logistic import hold_out

_VALIDATION = 0.2


@dataclass(frozen=True, slots=True)
class Learnable:
    """Rows of a split."""

    features: NDArray[np.float32]
    """(n, D), any length."""
    labels: NDArray[np.int64]
    """(n,). Means nothing where there are targets."""
    targets: NDArray[np.int8] | None = None
    """(n, C), see `Labelled`."""

    @classmethod
    def of(cls, split: Labelled, embedder: Embedder) -> Learnable:
        """The features of a split."""
        return cls(embedder.images(split.images, split.rows), split.labels, split.targets)

    def __len__(self) -> int:
        """How many rows."""
        return len(self.features)

    def take(self, positions: NDArray[np.int64]) -> Learnable:
        """Some of the rows."""
        targets = None if self.targets is None else self.targets[positions]
        return Learnable(self.features[positions], self.labels[positions], targets)

    def joined(self, other: Learnable) -> Learnable:
        """These rows and then those of another."""
        targets = None
        if self.targets is not None and other.targets is not None:
            targets = np.concatenate([self.targets, other.targets])
        return Learnable(
            np.concatenate([self.features, other.features]),
            np.concatenate([self.labels, other.labels]),
            targets,
        )

    def divided(self, seed: int) -> tuple[Learnable, Learnable]:
        """Rows to fit on and a fifth to validate on; of every class, where each row has one."""
        if self.targets is None:
            rest, held = hold_out(self.labels, _VALIDATION, seed)
        else:
            order = generator(seed, "linear_probe/hold_out").permutation(len(self))
            cut = max(1, round(_VALIDATION * len(self)))
            rest, held = np.sort(order[cut:]), np.sort(order[:cut])
        return self.take(rest), self.take(held)

    @property
    def inputs(self) -> Tensor:
        """The features as a head takes them."""
        return torch.from_numpy(np.ascontiguousarray(self.features))

    @property
    def wanted(self) -> Tensor:
        """Classes (n,), or 0 and 1 (n, C), where difficult objects are 0."""
        if self.targets is None:
            return torch.from_numpy(np.asarray(self.labels, np.int64))
        return torch.from_numpy((self.targets == 1).astype(np.float32))
