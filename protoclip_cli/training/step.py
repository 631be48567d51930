"""One optimiser step: encode, collect, score, backward, average, clip, update."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from protoclip_cli.compute.processes import mean_gradients, rank
from protoclip_cli.compute.randomness import key
from protoclip_cli.core.types import Batch, StepInputs
from protoclip_cli.models.norms import norms_remember_nothing
from protoclip_cli.training.encoded import Encoded, Views, join
from protoclip_cli.training.guidance import Guidance, Guides, join_guides
from protoclip_cli.training.learner import Learner
from protoclip_cli.training.parts import WHOLE, Accumulation, split
from protoclip_cli.training.phases import Phase


class Stepper:
    """Takes steps, of a whole batch or of parts of it.

    `grad_cache`: gradients and metrics are those of the whole batch. All parts pass through the towers
    without gradients; heads, scales and objectives work on the whole; then each part passes again, with the
    gradients of its features. Batch norms of towers see parts.
    Gao et al., Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup, 2021.
    https://arxiv.org/abs/2101.06983

    `plain`: each part is a batch of its own to heads and objectives, their losses are averaged, and rows are
    contrasted with rows of their part only; as clip-rocket's --update-freq.
    """

    def __init__(
        self,
        learner: Learner,
        optimizer: Optimizer,
        *,
        seed: int,
        accumulation: Accumulation = WHOLE,
        max_grad_norm: float | None = None,
        autocast: Callable[[], AbstractContextManager[None]],
        scaler: Any = None,
    ) -> None:
        self.learner, self.optimizer = learner, optimizer
        self.seed, self.accumulation, self.max_grad_norm = seed, accumulation, max_grad_norm
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
            guidance: prototypes of the episode, the teacher, and other models.

        Returns:
            Metrics of this process's rows, scalars on the device.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rates[group["side"]] * group["scale"]
        self.optimizer.zero_grad(set_to_none=True)
        if self.accumulation.parts == 1:
            inputs, metrics = self._whole(batch, phase, (number, 0), guidance)
            seen = [inputs]
        elif self.accumulation.kind == "grad_cache":
            inputs, metrics = self._cached(batch, phase, number, guidance)
            seen = [inputs]
        else:
            seen, metrics = self._plain(batch, phase, number, guidance)
        metrics["grad_norm"] = self._update()
        self.learner.follow(number + 1)
        with torch.no_grad():
            for inputs in seen:
                self.learner.after_step(_detached(inputs), phase.objectives)
        return metrics

    def _whole(
        self, batch: Batch, phase: Phase, address: tuple[int, int], guidance: Guidance, share: int = 1
    ) -> tuple[StepInputs, dict[str, Tensor]]:
        encoded, guides = self._encode(batch, phase, address), self._look(batch, phase, address, guidance)
        inputs = self._inputs(encoded, guides, batch, phase, address, guidance)
        outcome = self.learner.score(inputs, phase.objectives)
        self._scaled(outcome.loss if share == 1 else outcome.loss / share).backward()
        return inputs, dict(outcome.metrics)

    def _plain(
        self, batch: Batch, phase: Phase, number: int, guidance: Guidance
    ) -> tuple[list[StepInputs], dict[str, Tensor]]:
        """Each part by itself, one after the other."""
        done = []
        for i, part in enumerate(split(batch, self.accumulation.parts)):
            inputs, metrics = self._whole(part, phase, (number, i), guidance, self.accumulation.parts)
            done.append((_detached(inputs), metrics))
        names = done[0][1]
        means = {name: torch.stack([metrics[name] for _, metrics in done]).mean() for name in names}
        return [inputs for inputs, _ in done], means

    def _cached(
        self, batch: Batch, phase: Phase, number: int, guidance: Guidance
    ) -> tuple[StepInputs, dict[str, Tensor]]:
        """All features without gradients, the loss on them, then each part again with its gradients."""
        parts = split(batch, self.accumulation.parts)
        with torch.no_grad(), norms_remember_nothing(self.learner.model):
            done = [self._encode(part, phase, (number, i)) for i, part in enumerate(parts)]
        looks = [self._look(part, phase, (number, i), guidance) for i, part in enumerate(parts)]
        joined = join(done)
        cached = [tensor.detach().requires_grad_() for tensor in joined.tensors()]
        whole = joined.with_tensors(cached, joined.targets)
        inputs = self._inputs(whole, join_guides(looks), batch, phase, (number, 0), guidance)
        outcome = self.learner.score(inputs, phase.objectives)
        self._scaled(outcome.loss).backward()
        gradients = [None if tensor.grad is None else tensor.grad.chunk(len(parts)) for tensor in cached]
        for i, part in enumerate(parts):
            tensors = self._encode(part, phase, (number, i), done[i]).tensors()
            learns = [
                (tensor, gradient[i])
                for tensor, gradient in zip(tensors, gradients, strict=True)
                if gradient is not None and tensor.requires_grad
            ]
            if learns:
                torch.autograd.backward([t for t, _ in learns], [g for _, g in learns])
        return inputs, dict(outcome.metrics)

    def _encode(
        self, batch: Batch, phase: Phase, address: tuple[int, int], known: Encoded | None = None
    ) -> Encoded:
        self._take_chance("step", address)
        with self.autocast():
            return self.learner.encode(batch, phase, known)

    def _look(self, batch: Batch, phase: Phase, address: tuple[int, int], guidance: Guidance) -> Guides:
        if phase.momentum is None and not phase.needs.frozen:
            return Guides()
        self._take_chance("guides", address)
        with self.autocast():
            return guidance.look(batch, phase)

    def _inputs(
        self,
        encoded: Encoded,
        guides: Guides,
        batch: Batch,
        phase: Phase,
        address: tuple[int, int],
        guidance: Guidance,
    ) -> StepInputs:
        if phase.needs.heads:
            self._take_chance("heads", address)
        with self.autocast():
            views = self.learner.project(encoded, phase)
            momentum = guidance.project(guides, phase)
        momentum = momentum.collected()
        return replace(
            self.learner.collect(views, encoded, batch, phase.needs, guidance),
            momentum_image=momentum.image,
            momentum_text=momentum.text,
            frozen=guidance.frozen_features(guides),
        )

    def _take_chance(self, purpose: str, address: tuple[int, int]) -> None:
        """Give torch's global generator, from which only dropout draws, a state of its own for each use."""
        torch.manual_seed(key(self.seed, purpose, *address, rank()) >> 1)

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


def _detached(inputs: StepInputs) -> StepInputs:
    views = Views(inputs.image, inputs.text).map(Tensor.detach)
    tokens = inputs.next_tokens
    if tokens is not None:
        tokens = replace(tokens, logits=tokens.logits.detach())
    return replace(inputs, image=views.image, text=views.text, next_tokens=tokens)
