"""What guides a step besides the learner: prototypes, rows of a bank, and other models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from protoclip_cli.compute.processes import collect
from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Batch, Frozen, Prototypes
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.prototypes.board import Board
from protoclip_cli.training.encoded import Encoded, Views, join
from protoclip_cli.training.followers import MomentumCopy
from protoclip_cli.training.frozen import FrozenModel
from protoclip_cli.training.phases import Phase


class TeacherRows(Protocol):
    """Features of captions, made before training."""

    @property
    def dim(self) -> int:
        """T, of a feature."""

    def rows(self, captions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Features of some captions, (b, T)."""


@dataclass(frozen=True, slots=True)
class Guides:
    """What the models that only look made of a batch, of this process's rows."""

    momentum: Encoded | None = None
    frozen: Encoded | None = None


def join_guides(parts: Sequence[Guides]) -> Guides:
    """The parts of a batch as one."""
    momentum = [part.momentum for part in parts if part.momentum is not None]
    frozen = [part.frozen for part in parts if part.frozen is not None]
    return Guides(join(momentum) if momentum else None, join(frozen) if frozen else None)


@dataclass(slots=True)
class Guidance:
    """The prototypes of the episode, the teacher's bank and models that only look, where a run has some."""

    bank: TeacherRows | None = None
    board: Board | None = None
    momentum: MomentumCopy | None = None
    frozen: FrozenModel | None = None

    def enter(self, model: DualEncoder) -> None:
        """Begin an episode with a model that learns as it now says."""
        if self.momentum is not None:
            self.momentum.enter(model)

    def look(self, batch: Batch, phase: Phase) -> Guides:
        """What the other models make of a batch or a part of one."""
        momentum = frozen = None
        if phase.momentum is not None:
            assert self.momentum is not None
            momentum = self.momentum.encode(batch, phase.momentum)
        if phase.needs.frozen:
            assert self.frozen is not None
            frozen = self.frozen.encode(batch)
        return Guides(momentum, frozen)

    def project(self, guides: Guides, phase: Phase) -> Views:
        """The momentum copy's features of all rows of this process; none if no objective reads them."""
        if guides.momentum is None or phase.momentum is None:
            return Views()
        assert self.momentum is not None
        return self.momentum.project(guides.momentum, phase.momentum)

    def frozen_features(self, guides: Guides) -> Frozen | None:
        """The frozen model's features of the rows of all processes, if objectives read them."""
        if guides.frozen is None:
            return None
        assert self.frozen is not None
        image, text = (
            collect(views[0].embedding) if views else self.frozen.scale.new_zeros(0, self.frozen.width)
            for views in (guides.frozen.image, guides.frozen.text)
        )
        return Frozen(image, text, self.frozen.scale)

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
