"""What k-means takes and gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from protoclip_cli.compute.processes import collect_ragged, rank
from protoclip_cli.compute.randomness import generator


@dataclass(frozen=True, slots=True)
class KMeansSettings:
    """How to cluster."""

    k: int
    """Number of clusters."""
    iterations: int = 20
    """Rounds of assigning and averaging; fewer if nothing changes any more."""
    restarts: int = 1
    """How often to start anew. The best result is kept. Small problems get ten starts in any case."""
    spherical: bool = False
    """Keep centroids at unit length."""
    samples_per_centroid: int | None = 256
    """Rows to fit on, for each cluster. None: all. Every row is assigned in any case."""
    backend: Literal["auto", "faiss", "torch"] = "auto"
    """`auto` is torch: on any device, and with any number of processes."""
    start: Literal["k-means++", "random"] = "k-means++"
    """Which rows are the first centroids."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a backend found."""

    centroids: Tensor
    """(k, d)."""
    reseeded: int
    backend: str
    labels: Tensor | None = None
    """Of the rows it was fitted on, if the backend knows them."""


@dataclass(frozen=True, slots=True)
class Clustering:
    """Clusters of rows. n are the rows of this process."""

    centroids: Tensor
    """(k, d), float32, the same on every process: means of the rows fitted on, of any length."""
    labels: Tensor
    """(n,), long: the nearest centroid."""
    distances: Tensor
    """(n,): squared, to that centroid."""
    sizes: Tensor
    """(k,), long, over all processes."""
    objective: float
    """Sum of squared distances over all rows of all processes."""
    empty: int
    """Clusters without a member."""
    reseeded: int
    """Clusters that had lost their last member on the way, and started anew within a large one."""
    sampled: int
    """Rows the centroids were fitted on."""
    backend: str
    """Who did it, in words."""


@dataclass(frozen=True, slots=True)
class Shard:
    """This process's rows, and where they are among all."""

    rows: Tensor
    """(n, d), float32."""
    first: int
    """The number of the first one."""
    total: int
    """How many there are on all processes."""

    @classmethod
    def of(cls, rows: Tensor) -> Shard:
        """Count rows over all processes."""
        counts = collect_ragged(torch.tensor([len(rows)], device=rows.device)).tolist()
        return cls(rows.contiguous(), sum(counts[: rank()]), sum(counts))

    @property
    def ids(self) -> NDArray[np.int64]:
        """(n,), the numbers of the rows."""
        return np.arange(self.first, self.first + len(self.rows))

    def places(self, ids: NDArray[np.int64]) -> Tensor:
        """Where in `rows` those of some numbers are that this process has, in rising order."""
        mine = np.sort(ids[(ids >= self.first) & (ids < self.first + len(self.rows))] - self.first)
        return torch.from_numpy(mine).to(self.rows.device)

    def pick(self, ids: NDArray[np.int64]) -> Tensor:
        """(m, d), rows of all processes with these numbers, in rising order."""
        return collect_ragged(self.rows[self.places(ids)])

    def sample(self, most: int, seed: int) -> Shard:
        """As many rows of all processes, each as likely as any other; or all there are."""
        if most >= self.total:
            return self
        ids = generator(seed, "sample").choice(self.total, most, replace=False)
        return Shard.of(self.rows[self.places(ids)])
