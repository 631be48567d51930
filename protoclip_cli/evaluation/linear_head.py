"""Linear heads on features, trained by gradient steps: many at a time, each with its own rate and decay.

A search trains the same head on the same batches with many settings. All of them are one stack of matrices
here, so that a step of forty costs little more than a step of one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from protoclip_cli.compute.randomness import key
from protoclip_cli.evaluation.threads import sized_threads

_NORM_EPS, _NORM_MOMENTUM = 1e-5, 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadTraining:
    """How heads are trained. See `probe_settings` for those of the originals."""

    optimizer: Literal["sgd", "adamw"] = "sgd"
    epochs: int
    batch: int
    shuffle: bool
    """False: rows in the order of the data, every epoch alike."""
    schedule: Literal["constant", "cosine_epochs", "cosine_steps"]
    """Constant rate, or half a cosine to zero that falls after every epoch or every step."""
    normalize: Literal["none", "unit", "batch"] = "none"
    """Features as they are, at unit length, or by the mean and variance of each batch."""
    start: Literal["normal", "torch"] = "torch"
    """First weights: N(0, 0.01) with zero bias, or torch's own for a linear layer."""
    momentum: float = 0.9


@dataclass(slots=True)
class Heads:
    """H heads."""

    weight: Tensor
    """(H, C, D)."""
    bias: Tensor
    """(H, C)."""
    mean: Tensor
    """(D,), subtracted from features."""
    variance: Tensor
    """(D,), its root divides them."""
    unit: bool

    def scores(self, features: Tensor, head: int = 0) -> Tensor:
        """The logits (n, C) of features (n, D) by one head."""
        return self._prepared(features) @ self.weight[head].T + self.bias[head]

    def _prepared(self, features: Tensor) -> Tensor:
        if self.unit:
            return torch.nn.functional.normalize(features, dim=1)
        return (features - self.mean) / torch.sqrt(self.variance)


@torch.no_grad()
def train_heads(  # noqa: PLR0913
    features: Tensor,
    targets: Tensor,
    classes: int,
    rates: Sequence[float],
    decays: Sequence[float],
    training: HeadTraining,
    *,
    seed: int,
    first_weight: Tensor | None = None,
) -> Iterator[Heads]:
    """Train heads from the same start on the same batches.

    Args:
        features: (n, D), float32 or float64.
        targets: (n,) classes for cross-entropy, or (n, C) of 0 and 1 for binary cross-entropy.
        classes: C.
        rates: H learning rates.
        decays: H weight decays, of weights and biases.
        training: everything else.
        seed: of first weights and batches.
        first_weight: (C, D), with zero biases, instead of those of `training.start`.

    Yields:
        The heads after every epoch. They change with the next.
    """
    if training.normalize == "unit":
        features = torch.nn.functional.normalize(features, dim=1)
    chance = torch.Generator().manual_seed(key(seed, "linear head") % 2**63)
    width = features.shape[1]
    weight, bias = _start(training.start, classes, width, chance, first_weight)
    heads = Heads(
        weight=weight.to(features.dtype).expand(len(rates), -1, -1).clone(),
        bias=bias.to(features.dtype).expand(len(rates), -1).clone(),
        mean=torch.zeros(width, dtype=features.dtype),
        variance=torch.ones(width, dtype=features.dtype),
        unit=training.normalize == "unit",
    )
    step_of = _Steps(training, heads, torch.tensor(rates, dtype=features.dtype), torch.tensor(decays))
    norm = _BatchNorm(heads) if training.normalize == "batch" else None
    count = math.ceil(len(features) / training.batch)
    work = training.batch * width * classes * len(rates)
    with sized_threads(work):
        for epoch in range(training.epochs):
            order = torch.randperm(len(features), generator=chance) if training.shuffle else None
            for at in range(count):
                part = slice(at * training.batch, (at + 1) * training.batch)
                rows = part if order is None else order[part]
                inputs, wanted = features[rows], targets[rows]
                if norm is not None:
                    if len(inputs) < 2:  # one row has no variance
                        continue
                    inputs = norm(inputs)
                step_of(inputs, wanted, _progress(training, epoch, at, count))
            if norm is not None:
                norm.write()
            yield heads


def _start(
    start: str, classes: int, width: int, chance: torch.Generator, given: Tensor | None
) -> tuple[Tensor, Tensor]:
    if given is not None:
        return given, torch.zeros(classes)
    if start == "normal":
        return 0.01 * torch.randn(classes, width, generator=chance), torch.zeros(classes)
    bound = 1 / math.sqrt(width)
    return (
        bound * (2 * torch.rand(classes, width, generator=chance) - 1),
        bound * (2 * torch.rand(classes, generator=chance) - 1),
    )


def _progress(training: HeadTraining, epoch: int, at: int, count: int) -> float:
    """The rate as a share of the first."""
    if training.schedule == "constant":
        return 1.0
    done = epoch / training.epochs
    if training.schedule == "cosine_steps":
        done = (epoch * count + at) / (training.epochs * count)
    return (1 + math.cos(math.pi * done)) / 2


class _BatchNorm:
    """Batch normalisation without scale and shift, as torch computes it."""

    def __init__(self, heads: Heads) -> None:
        self._heads = heads
        self._running = heads.variance.clone()

    def __call__(self, inputs: Tensor) -> Tensor:
        variance, mean = torch.var_mean(inputs, dim=0, correction=0)
        unbiased = variance * len(inputs) / (len(inputs) - 1)
        self._heads.mean += _NORM_MOMENTUM * (mean - self._heads.mean)
        self._running += _NORM_MOMENTUM * (unbiased - self._running)
        return (inputs - mean) / torch.sqrt(variance + _NORM_EPS)

    def write(self) -> None:
        self._heads.variance.copy_(self._running + _NORM_EPS)


class _Steps:
    """Gradient steps of all heads, by torch's formulas of SGD with momentum and of AdamW."""

    def __init__(self, training: HeadTraining, heads: Heads, rates: Tensor, decays: Tensor) -> None:
        self._adam, self._momentum = training.optimizer == "adamw", training.momentum
        self._parameters = (heads.weight, heads.bias)
        dtype = heads.weight.dtype
        self._rates = [rates.view(-1, *[1] * (p.ndim - 1)) for p in self._parameters]
        self._decays = [decays.to(dtype).view(-1, *[1] * (p.ndim - 1)) for p in self._parameters]
        self._first = [torch.zeros_like(p) for p in self._parameters]
        self._second = [torch.zeros_like(p) for p in self._parameters]
        self._done = 0

    def __call__(self, inputs: Tensor, wanted: Tensor, share: float) -> None:
        """One step.

        Args:
            inputs: (b, D).
            wanted: (b,) or (b, C).
            share: of the rates.
        """
        self._done += 1
        weight, bias = self._parameters
        error = _error(torch.matmul(inputs, weight.transpose(1, 2)) + bias[:, None], wanted)
        gradients = (torch.matmul(error.transpose(1, 2), inputs), error.sum(dim=1))
        for at, gradient in enumerate(gradients):
            (self._step_adam if self._adam else self._step_sgd)(at, gradient, share)

    def _step_sgd(self, at: int, gradient: Tensor, share: float) -> None:
        parameter = self._parameters[at]
        gradient = gradient + self._decays[at] * parameter
        if self._done == 1:
            self._first[at].copy_(gradient)
        else:
            self._first[at].mul_(self._momentum).add_(gradient)
        parameter -= share * self._rates[at] * self._first[at]

    def _step_adam(self, at: int, gradient: Tensor, share: float) -> None:
        parameter, rates = self._parameters[at], share * self._rates[at]
        parameter *= 1 - rates * self._decays[at]
        self._first[at].lerp_(gradient, 0.1)
        self._second[at].lerp_(gradient.square(), 0.001)
        first = self._first[at] / (1 - 0.9**self._done)
        second = self._second[at] / (1 - 0.999**self._done)
        parameter -= rates * first / (second.sqrt() + 1e-8)


def _error(logits: Tensor, wanted: Tensor) -> Tensor:
    """The gradient of the mean loss by the logits (H, b, C)."""
    if wanted.ndim == 2:
        return (torch.sigmoid(logits) - wanted) / wanted.numel()
    error = torch.softmax(logits, dim=2)
    error[:, torch.arange(len(wanted)), wanted] -= 1
    return error / len(wanted)
