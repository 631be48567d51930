"""From an episode's batches to its prototypes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from protoclip_cli.compute.randomness import key
from protoclip_cli.core.types import Batch
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.prototypes.board import Board, make_board
from protoclip_cli.prototypes.board_files import BoardFiles
from protoclip_cli.prototypes.kmeans import KMeansSettings
from protoclip_cli.training.guidance import Guidance
from protoclip_cli.training.look import look
from protoclip_cli.training.phases import Phase
from protoclip_cli.training.specs import PrototypesSpec


@dataclass(frozen=True, slots=True)
class Clusterer:
    """Looks at episodes and makes their boards. Everything here is collective."""

    model: DualEncoder
    head: str | None
    """Whose projections are clustered; None: the embeddings."""
    names: Mapping[int, frozenset[str]]
    """The prototypes to make, by episode that is looked at."""
    spec: PrototypesSpec
    seed: int
    files: BoardFiles
    device: torch.device
    autocast: Callable[[], AbstractContextManager[None]]

    def look(self, batches: Iterable[Batch], phase: Phase, guidance: Guidance) -> dict[str, Tensor]:
        """Features of this process's share of the episode, by side."""
        sides = frozenset(part for name in self.names[phase.episode] for part in name.split("<-"))
        return look(self.model, batches, sides, self.head, guidance, self.autocast)

    def cluster(self, features: Mapping[str, Tensor], episode: int) -> tuple[Board, str]:
        """The episode's prototypes, saved, and the digest of their file."""
        names, normalize = self.names[episode], self.spec.normalize
        settings = {source: self._settings(source) for name in names for source in [name.rpartition("<-")[2]]}
        seed = key(self.seed, "cluster", episode) >> 1
        board = make_board(features, names, settings, seed=seed, normalize=normalize)
        digest = self.files.save(board, episode)
        return board.to(self.device), digest

    def _settings(self, source: str) -> KMeansSettings:
        return KMeansSettings(
            k=self.spec.k_of(source),
            iterations=self.spec.iterations,
            restarts=self.spec.restarts,
            start=self.spec.start,
            spherical=self.spec.spherical,
            samples_per_centroid=self.spec.samples_per_centroid,
            backend=self.spec.backend,
        )

    def load(self, episode: int, digest: str) -> Board:
        """The prototypes of an episode that was looked at before."""
        return self.files.load(episode, digest).to(self.device)
