"""How rows lie to one another: relative distances of pairs and angles of triplets.

Park et al., Relational Knowledge Distillation, 2019. https://arxiv.org/abs/1904.05068
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

_SHORTEST = 1e-6
"""Rows nearer than this coincide."""
_ITRA_SHORTEST = 1e-12
_BLOCK = 1 << 23
"""Entries of the largest array of the angle term, which has two or three of them at a time."""


def distance_relations(student: Tensor, teacher: Tensor, own: slice = slice(None)) -> Tensor:
    """How the distances among students differ from those among teachers, each relative to their mean.

    Args:
        student: (B, D).
        teacher: (B, T). Row i teaches row i.
        own: the rows whose distances to all rows this process computes; all by default.

    Returns:
        Scalar, Huber's loss at 1, the mean over the b x B pairs; those of a row with itself count zero.

    >>> rows = torch.tensor([[0.0], [1.0], [3.0]])
    >>> far, turned = distance_relations(rows, 10 * rows), distance_relations(rows, rows.flip(0))
    >>> round(far.item(), 6), turned.item() > 0.01
    (0.0, True)
    """
    return F.smooth_l1_loss(_relative_distances(student, own), _relative_distances(teacher, own))


def _relative_distances(rows: Tensor, own: slice) -> Tensor:
    """(b, B), the distances of the own rows to all, over the mean distance of two rows."""
    start, stop, _ = own.indices(len(rows))
    mine = _distances(rows[own], rows, start)
    total = mine.sum()
    # The mean is over the rows of all processes, whose distances are computed in blocks and not kept.
    for place in (*range(0, start, len(mine) or 1), *range(stop, len(rows), len(mine) or 1)):
        block = rows[place : min(place + len(mine), start if place < start else len(rows))]
        total = total + checkpoint(
            lambda part, at: _distances(part, rows, at).sum(),
            block,
            place,
            use_reentrant=False,
            preserve_rng_state=False,
        )
    pairs = len(rows) * (len(rows) - 1)
    return mine * (pairs / total) if pairs else mine


def _distances(some: Tensor, rows: Tensor, start: int) -> Tensor:
    """(b, B), zero from a row to itself; `some` are the rows from `start` on."""
    squares = (some * some).sum(dim=-1)[:, None] + (rows * rows).sum(dim=-1) - 2 * some @ rows.T
    place = torch.arange(len(rows), device=rows.device)
    itself = place[start : start + len(some), None] == place
    return squares.clamp(min=_SHORTEST**2).sqrt().masked_fill(itself, 0)


def angle_relations(
    student: Tensor, teacher: Tensor, own: slice = slice(None), *, steep_duplicates: bool = False
) -> Tensor:
    """How the angles that two rows make at a third differ between students and teachers.

    The B x B x B cosines are made in blocks of rows, and the gradient of a block with it, so that nothing
    cubic is kept and no product is computed twice.

    Args:
        student: (B, D).
        teacher: (B, T). Row i teaches row i.
        own: the rows at which this process computes angles; all by default.
        steep_duplicates: a row that coincides with another has no direction to it. True: its gradient is that
            of a difference of zero over a length of 1e-12, as in ITRA, where one duplicate gives 5e8.

    Returns:
        Scalar, Huber's loss at 1 of the cosines, the mean over the b x B x B triplets, of which those that
        hold a row twice count zero or are alike.

    >>> corner = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    >>> line = torch.tensor([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]])
    >>> turn = torch.tensor([[0.0, -3.0], [3.0, 0.0]])
    >>> round(angle_relations(corner, corner @ turn).item(), 6), angle_relations(corner, line).item() > 0.01
    (0.0, True)
    """
    start, stop, _ = own.indices(len(student))
    shortest = _ITRA_SHORTEST if steep_duplicates else _SHORTEST
    value: Tensor = _Angles.apply(student, teacher, start, stop, shortest, steep_duplicates)
    return value


class _Angles(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, student: Tensor, teacher: Tensor, start: int, stop: int, shortest: float, steep: bool
    ) -> Tensor:
        rows = len(student)
        sides = (student, teacher)
        learns = ctx.needs_input_grad[:2]
        gradients = [
            torch.zeros_like(side) if needs else None for side, needs in zip(sides, learns, strict=True)
        ]
        total = student.new_zeros(())
        block = max(1, _BLOCK // (rows * max(rows, student.shape[1], teacher.shape[1])))
        for first in range(start, stop, block):
            at = slice(first, min(first + block, stop))
            looks = [_Directions(side, at, shortest, steep) for side in sides]
            cosines = looks[0].units @ looks[0].units.mT
            differences = cosines.baddbmm_(looks[1].units, looks[1].units.mT, alpha=-1)
            slopes = differences.clamp(-1, 1)
            flat, slope = differences.view(-1), slopes.view(-1)
            total += slope.dot(flat) - slope.dot(slope) / 2
            for side, gradient, sign in zip(looks, gradients, (2, -2), strict=True):
                if gradient is not None:
                    side.add_gradient(gradient, slopes, sign)  # twice: a pair of rows is met in both orders
        count = max((stop - start) * rows * rows, 1)
        ctx.save_for_backward(*(None if g is None else g.div_(count) for g in gradients))
        return total / count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        student, teacher = (None if saved is None else gradient * saved for saved in ctx.saved_tensors)
        return student, teacher, None, None, None, None


class _Directions:
    """The directions from some rows to all rows."""

    def __init__(self, rows: Tensor, at: slice, shortest: float, steep: bool) -> None:
        self.at, self.steep = at, steep
        self.units = rows[None] - rows[at, None]
        """(r, B, D), unit length; zero to rows that coincide."""
        self.lengths = torch.linalg.vector_norm(self.units, dim=-1, keepdim=True)
        self.meets = self.lengths <= shortest
        self.lengths.clamp_(min=shortest)
        self.units /= self.lengths
        if not steep:
            self.units.masked_fill_(self.meets, 0)

    def add_gradient(self, gradient: Tensor, slopes: Tensor, sign: float) -> None:
        """Add the gradient of the rows.

        Args:
            gradient: (B, D), of all rows.
            slopes: (r, B, B), of the cosines of the directions, symmetric.
            sign: factor.
        """
        of_units = slopes @ self.units
        along = (of_units * self.units).sum(dim=-1, keepdim=True)
        if self.steep:
            along.masked_fill_(self.meets, 0)
        of_units.addcmul_(along, self.units, value=-1).mul_(sign / self.lengths)
        if not self.steep:
            of_units.masked_fill_(self.meets, 0)
        gradient += of_units.sum(dim=0)
        gradient[self.at] -= of_units.sum(dim=1)
