# ruff: noqa: ARG001 (all are made alike)
"""Formulas written down plainly, in few lines and without care: what our objectives must not be slower than.

Each takes image and text embeddings (B, D) with gradients and returns a loss. What has state is given
65,536 random rows.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]
MANY = 65_536


def info_nce(width: int, device: torch.device) -> Loss:
    def loss(image: Tensor, text: Tensor) -> Tensor:
        logits = 14.3 * F.normalize(image) @ F.normalize(text).T
        partner = torch.arange(len(logits), device=device)
        return (F.cross_entropy(logits, partner) + F.cross_entropy(logits.T, partner)) / 2

    return loss


def unicl(width: int, device: torch.device) -> Loss:
    def loss(image: Tensor, text: Tensor) -> Tensor:
        logits = 14.3 * F.normalize(image) @ F.normalize(text).T
        labels = torch.arange(len(logits), device=device) % 100
        target = (labels[:, None] == labels[None]).float()
        target = target / target.sum(dim=1, keepdim=True)
        return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2

    return loss


def siglip(width: int, device: torch.device) -> Loss:
    def loss(image: Tensor, text: Tensor) -> Tensor:
        logits = 10 * F.normalize(image) @ F.normalize(text).T - 10
        sign = 2 * torch.eye(len(logits), device=device) - 1
        return -F.logsigmoid(sign * logits).sum() / len(logits)

    return loss


def seed(width: int, device: torch.device) -> Loss:
    queue = F.normalize(torch.randn(MANY, width, device=device))

    def loss(image: Tensor, text: Tensor) -> Tensor:
        student, teacher = F.normalize(image), F.normalize(text).detach()
        own = (student * teacher).sum(dim=1, keepdim=True)
        ours = torch.cat([own, student @ queue.T], dim=1) / 0.07
        theirs = torch.cat([torch.ones_like(own), teacher @ queue.T], dim=1) / 1e-4
        return -(theirs.softmax(dim=1) * ours.log_softmax(dim=1)).sum(dim=1).mean()

    return loss


def dino(width: int, device: torch.device) -> Loss:
    prototypes = F.normalize(torch.randn(MANY, width, device=device)).requires_grad_()
    centre = torch.zeros(MANY, device=device)

    def loss(image: Tensor, text: Tensor) -> Tensor:
        directions = F.normalize(prototypes)
        student = (F.normalize(image) @ directions.T) / 0.1
        with torch.no_grad():
            teacher = ((F.normalize(text) @ directions.T - centre) / 0.04).softmax(dim=1)
        return -(teacher * student.log_softmax(dim=1)).sum(dim=1).mean()

    return loss


def vicreg(width: int, device: torch.device) -> Loss:
    def spread(rows: Tensor) -> Tensor:
        deviation = (rows.var(dim=0) + 1e-4).sqrt()
        centred = rows - rows.mean(dim=0)
        covariance = centred.T @ centred / (len(rows) - 1)
        others = covariance.pow(2).sum() - covariance.diagonal().pow(2).sum()
        return 12.5 * F.relu(1 - deviation).mean() + others / rows.shape[1]

    return lambda image, text: 25 * F.mse_loss(image, text) + spread(image) + spread(text)


def barlow_twins(width: int, device: torch.device) -> Loss:
    def loss(image: Tensor, text: Tensor) -> Tensor:
        image, text = ((rows - rows.mean(dim=0)) / rows.std(dim=0) for rows in (image, text))
        alike = image.T @ text / len(image)
        diagonal = alike.diagonal()
        return (diagonal - 1).pow(2).sum() + 0.0051 * (alike.pow(2).sum() - diagonal.pow(2).sum())

    return loss


def rkd(width: int, device: torch.device) -> Loss:
    def relations(rows: Tensor) -> tuple[Tensor, Tensor]:
        distance = (2 - 2 * rows @ rows.T).clamp(min=1e-12).sqrt()
        distance = distance * (1 - torch.eye(len(rows), device=device))
        sides = F.normalize(rows[None] - rows[:, None], dim=2)
        return distance / distance[distance > 0].mean(), torch.bmm(sides, sides.transpose(1, 2))

    def loss(image: Tensor, text: Tensor) -> Tensor:
        ours, theirs = relations(F.normalize(image)), relations(F.normalize(text).detach())
        return 0.5 * F.smooth_l1_loss(ours[0], theirs[0]) + F.smooth_l1_loss(ours[1], theirs[1])

    return loss


PLAIN: dict[str, Callable[[int, torch.device], Loss]] = {
    "info_nce": info_nce,
    "unicl": unicl,
    "siglip": siglip,
    "seed": seed,
    "dino": dino,
    "vicreg": vicreg,
    "barlow_twins": barlow_twins,
    "rkd": rkd,
}
