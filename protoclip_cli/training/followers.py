"""Copies of the model that follow it slowly: one that guides it, and one that is evaluated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import deepcopy
from itertools import chain, compress

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import get_ema_multi_avg_fn

from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Batch
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.training.encoded import Encoded, Views, run_heads, run_towers


class Follower(ABC):
    """A copy of a model, without gradients."""

    def __init__(self, model: DualEncoder, decay: float) -> None:
        """Start as the model.

        Args:
            model: which one.
            decay: how much of itself the copy keeps in a step.
        """
        self.model = deepcopy(model).requires_grad_(False)
        self._approach = get_ema_multi_avg_fn(decay)

    @abstractmethod
    def follow(self, model: DualEncoder, steps: int) -> None:
        """Go a step after the model.

        Args:
            model: after its optimiser's step.
            steps: done by the optimiser, this one included.
        """

    def _go_after(self, own: list[Tensor], theirs: list[Tensor]) -> None:
        with torch.no_grad():
            self._approach(own, theirs, 1)


class MomentumCopy(Follower):
    """The momentum copy that some objectives learn from, as in BYOL.

    Grill et al., Bootstrap your own latent, 2020. https://arxiv.org/abs/2006.07733
    Parameters follow; norms have statistics of their own, because the copy looks in the modes of the model:
    of its batch where that learns.
    """

    def follow(self, model: DualEncoder, steps: int) -> None:  # noqa: ARG002
        """Let the parameters go a step after the model's."""
        self._go_after(list(self.model.parameters()), [p.detach() for p in model.parameters()])

    def enter(self, model: DualEncoder) -> None:
        """Take over which parts of the model learn, and which stand still."""
        for own, theirs in zip(self.model.modules(), model.modules(), strict=True):
            own.training = theirs.training

    @torch.no_grad()
    def encode(self, batch: Batch, needs: Needs) -> Encoded:
        """What its towers make of a batch or a part of one."""
        return run_towers(self.model, batch, needs, frozenset())

    @torch.no_grad()
    def project(self, encoded: Encoded, needs: Needs) -> Views:
        """What its heads make of all rows."""
        return run_heads(self.model, encoded, needs, frozenset())


class WeightAverage(Follower):
    """The average of weights, for evaluation: of parameters and of what norms remember."""

    def __init__(self, model: DualEncoder, decay: float, start: int) -> None:
        """Start as the model.

        Args:
            model: which one.
            decay: how much of itself the average keeps in a step.
            start: so many steps it is the model itself.
        """
        super().__init__(model, decay)
        self.model.eval()
        self.start = start

    def follow(self, model: DualEncoder, steps: int) -> None:
        """Take a step of the model into the average.

        Buffers of other kinds are no weights: a causal mask has infinities, and their average is NaN. What
        counts is taken over.
        """
        own, theirs = _weights_and_statistics(self.model), _weights_and_statistics(model)
        blends = [tensor.is_floating_point() and steps > self.start for tensor in own]
        with torch.no_grad():
            for mine, tensor, blend in zip(own, theirs, blends, strict=True):
                if not blend:
                    mine.copy_(tensor)
        if any(blends):
            self._go_after(list(compress(own, blends)), list(compress(theirs, blends)))


def _weights_and_statistics(model: nn.Module) -> list[Tensor]:
    norms = (module for module in model.modules() if isinstance(module, _BatchNorm))
    return [tensor.detach() for tensor in chain(model.parameters(), *(norm.buffers() for norm in norms))]
