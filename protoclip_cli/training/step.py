"""One optimiser step: encode, collect, score, backward, average, clip, update."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from protoclip_cli.compute.processes import mean_gradients, rank
from protoclip_cli.compute.randomness import key
from protoclip_cli.core.types import Batch, Features, StepInputs
from protoclip_cli.training.guidance import Guidance
from protoclip_cli.training.learner import Encoded, Learner
from protoclip_cli.training.phases import Phase


class Stepper:
    """Takes steps. With `accumulate` parts, gradients are those of the whole batch (GradCache).

    Gao et al., Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup, 2021.
    https://arxiv.org/abs/2101.06983
    """

    def __init__(
        self,
        learner: Learner,
        optimizer: Optimizer,
        *,
        seed: int,
        accumulate: int = 1,
        max_grad_norm: float | None = None,
        autocast: Callable[[], AbstractContextManager[None]],
        scaler: Any = None,
    ) -> None:
        self.learner, self.optimizer = learner, optimizer
        self.seed, self.accumulate, self.max_grad_norm = seed, accumulate, max_grad_norm
        self.autocast, self.scaler = autocast, scaler

    def step(
        self, batch: Batch, phase: Phase, number: int, rates: Mapping[str, float], guidance: Guidance
    ) -> dict[str, Tensor]:
        """Take one step.

        Args:
            batch: this process's rows, on the device.
            phase: what is active.
            number: optimiser steps done before, for chance.
            rates: learning rate by side.
            guidance: prototypes of the episode, and the teacher.

        Returns:
            Metrics of this process's rows, scalars on the device.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rates[group["side"]] * group["scale"]
        self.optimizer.zero_grad(set_to_none=True)
        if self.accumulate == 1:
            inputs, metrics = self._whole(batch, phase, number, guidance)
        else:
            inputs, metrics = self._in_parts(batch, phase, number, guidance)
        metrics["grad_norm"] = self._update()
        with torch.no_grad():
            self.learner.after_step(_detached(inputs), phase.objectives)
        return metrics

    def _whole(
        self, batch: Batch, phase: Phase, number: int, guidance: Guidance
    ) -> tuple[StepInputs, dict[str, Tensor]]:
        encoded = self._encode(batch, phase, number, 0)
        inputs = self.learner.collect(encoded, batch, phase.needs, guidance)
        outcome = self.learner.score(inputs, phase.objectives)
        self._scaled(outcome.loss).backward()
        return inputs, dict(outcome.metrics)

    def _in_parts(
        self, batch: Batch, phase: Phase, number: int, guidance: Guidance
    ) -> tuple[StepInputs, dict[str, Tensor]]:
        """All features without gradients, the loss on them, then each part again with its gradients."""
        parts = _split(batch, self.accumulate)
        with torch.no_grad(), _norms_remember_nothing(self.learner.model):
            done = [self._encode(part, phase, number, i) for i, part in enumerate(parts)]
        joined = [torch.cat(column) for column in zip(*(part.tensors() for part in done), strict=True)]
        cached = [tensor.detach().requires_grad_() for tensor in joined]
        inputs = self.learner.collect(done[0].with_tensors(cached), batch, phase.needs, guidance)
        outcome = self.learner.score(inputs, phase.objectives)
        self._scaled(outcome.loss).backward()
        gradients = [None if tensor.grad is None else tensor.grad.chunk(len(parts)) for tensor in cached]
        for i, part in enumerate(parts):
            tensors = self._encode(part, phase, number, i).tensors()
            learns = [
                (tensor, gradient[i])
                for tensor, gradient in zip(tensors, gradients, strict=True)
                if gradient is not None and tensor.requires_grad
            ]
            if learns:
                torch.autograd.backward([t for t, _ in learns], [g for _, g in learns])
        return inputs, dict(outcome.metrics)

    def _encode(self, batch: Batch, phase: Phase, number: int, part: int) -> Encoded:
        # Dropout is the one thing that draws from torch's global generator, so it gets an address too.
        torch.manual_seed(key(self.seed, "step", number, part, rank()) >> 1)
        with self.autocast():
            return self.learner.encode(batch, phase)

    def _scaled(self, loss: Tensor) -> Tensor:
        return loss if self.scaler is None else self.scaler.scale(loss)

    def _update(self) -> Tensor:
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        mean_gradients(parameters)
        if self.scaler is not None:
            self.scaler.unscale_(self.optimizer)
        gradients = [p.grad for p in parameters if p.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        if self.max_grad_norm is not None:
            nn.utils.clip_grads_with_norm_(parameters, self.max_grad_norm, norm)
        if self.scaler is None:
            self.optimizer.step()
        else:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        return norm.detach()


def _split(batch: Batch, parts: int) -> list[Batch]:
    """Equal parts of a batch."""

    def pieces(value: Any) -> list[Any]:
        if value is None:
            return [None] * parts
        if isinstance(value, tuple):
            return [tuple(column) for column in zip(*map(pieces, value), strict=True)] or [()] * parts
        return list(value.chunk(parts))

    columns = {field.name: pieces(getattr(batch, field.name)) for field in fields(batch)}
    return [Batch(**{name: column[i] for name, column in columns.items()}) for i in range(parts)]


@contextmanager
def _norms_remember_nothing(module: nn.Module) -> Iterator[None]:
    """Undo what batch norms remember inside: each part runs twice, and must count once."""
    norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training]
    before = [{name: buffer.clone() for name, buffer in norm.named_buffers()} for norm in norms]
    yield
    for norm, buffers in zip(norms, before, strict=True):
        for name, buffer in norm.named_buffers():
            buffer.copy_(buffers[name])


def _detached(inputs: StepInputs) -> StepInputs:
    def cut(features: Features) -> Features:
        return Features(
            features.embedding.detach(), {name: head.detach() for name, head in features.heads.items()}
        )

    return replace(inputs, image=tuple(map(cut, inputs.image)), text=tuple(map(cut, inputs.text)))
