"""What guides a step besides the features of its batch: prototypes, and rows of a bank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from protoclip_cli.compute.processes import collect
from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Batch, Prototypes
from protoclip_cli.prototypes.board import Board


class TeacherRows(Protocol):
    """Features of captions, made before training."""

    @property
    def dim(self) -> int:
        """T, of a feature."""

    def rows(self, captions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Features of some captions, (b, T)."""


@dataclass(slots=True)
class Guidance:
    """The prototypes of the episode and the teacher's bank, where a run has them."""

    bank: TeacherRows | None = None
    board: Board | None = None

    def prototypes(self, batch: Batch, needs: Needs) -> Mapping[str, Prototypes]:
        """The prototypes that objectives read, with the clusters of the rows of all processes."""
        if not needs.prototypes:
            return {}
        assert self.board is not None
        return self.board.at(needs.prototypes, collect(batch.position))

    def teacher(self, batch: Batch, needs: Needs) -> Tensor | None:
        """(B, T), the teacher's features of the captions of all processes, if objectives read them."""
        return collect(self.teacher_of(batch.caption)) if needs.teacher else None

    def teacher_of(self, captions: Tensor) -> Tensor:
        """(b, T), the teacher's features of captions, where those are."""
        assert self.bank is not None
        return torch.from_numpy(self.bank.rows(captions.cpu().numpy())).to(captions.device)
