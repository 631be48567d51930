# ruff: noqa: ARG001 (all are made alike)
"""Formulas written down plainly, in few lines and without care: what our objectives must not be slower than.

Each takes image and text embeddings with gradients and returns a loss: (B, D), or where an objective reads
several views (V, B, D). What has state is given 65,536 random rows.
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


def compress(width: int, device: torch.device) -> Loss:
    queue = F.normalize(torch.randn(MANY, width, device=device))

    def loss(image: Tensor, text: Tensor) -> Tensor:
        student, teacher = F.normalize(image) @ queue.T / 0.04, F.normalize(text).detach() @ queue.T / 0.04
        return F.kl_div(student.log_softmax(dim=1), teacher.softmax(dim=1), reduction="batchmean")

    return loss


def proto_cpc(width: int, device: torch.device) -> Loss:
    prototypes = F.normalize(torch.randn(MANY, width, device=device)).requires_grad_()
    prior = torch.ones(MANY, device=device)

    def loss(image: Tensor, text: Tensor) -> Tensor:
        directions = F.normalize(prototypes)
        scores = F.normalize(image) @ directions.T / 0.1
        with torch.no_grad():
            taken = (F.normalize(text) @ directions.T / 0.04).softmax(dim=1)
        return ((scores + prior.log()).logsumexp(dim=1) - (taken * scores).sum(dim=1)).mean()

    return loss


def distill(width: int, device: torch.device) -> Loss:
    frozen = [F.normalize(torch.randn(1024, width, device=device)) for _ in range(2)]

    def loss(image: Tensor, text: Tensor) -> Tensor:
        image, text, rows = F.normalize(image), F.normalize(text), len(image)
        theirs, partner = 14.3 * frozen[0][:rows] @ frozen[1][:rows].T, torch.arange(rows, device=device)
        logits, loss = 14.3 * image @ text.T, image.new_zeros(())
        for ours, aim in ((logits, theirs), (logits.T, theirs.T)):
            loss = loss + F.cross_entropy(ours, partner) / 2 + F.cross_entropy(ours, aim.softmax(dim=1)) / 2
        return loss

    return loss


def simcse(width: int, device: torch.device) -> Loss:
    def loss(image: Tensor, text: Tensor) -> Tensor:
        first, second = F.normalize(text, dim=-1)
        logits, partner = first @ second.T / 0.05, torch.arange(len(first), device=device)
        return (F.cross_entropy(logits, partner) + F.cross_entropy(logits.T, partner)) / 2

    return loss


def local_contrast(width: int, device: torch.device) -> Loss:
    def loss(image: Tensor, text: Tensor) -> Tensor:
        image, text = F.normalize(image, dim=-1), F.normalize(text, dim=-1)
        partner, losses = torch.arange(image.shape[1], device=device), []
        for i, t in [(image[0], text[0]), *((i, t) for i in image[1:] for t in text[1:])]:
            logits = 10 * i @ t.T
            losses.append(F.cross_entropy(logits, partner) + F.cross_entropy(logits.T, partner))
        return losses[0] + sum(losses[1:])

    return loss


def swalip(width: int, device: torch.device) -> Loss:
    def assignment(scores: Tensor) -> Tensor:
        found = (scores / 0.05).exp()
        for _ in range(3):
            found = found / found.sum(dim=0)
            found = found / found.sum(dim=1, keepdim=True)
        return found

    def loss(image: Tensor, text: Tensor) -> Tensor:
        image, text, losses = F.normalize(image, dim=-1), F.normalize(text, dim=-1), []
        for i, t, other_i, other_t in ((1, 1, 2, 2), (1, 2, 2, 1), (2, 1, 1, 2), (2, 2, 1, 1)):
            logits = image[i] @ text[t].T
            with torch.no_grad():
                others = image[other_i] @ text[other_t].T
                aims = assignment(others), assignment(others.T)
            losses.append(F.cross_entropy(10 * logits, aims[0]) + F.cross_entropy(10 * logits.T, aims[1]))
        return torch.stack(losses).mean()

    return loss


def swalip_v1(width: int, device: torch.device) -> Loss:
    prototypes = F.normalize(torch.randn(3000, width, device=device)).requires_grad_()

    def loss(image: Tensor, text: Tensor) -> Tensor:
        scores = [F.normalize(side) @ F.normalize(prototypes).T for side in (image, text)]
        aims = []
        for side in scores:
            found = (side.detach() / 0.05).exp()
            for _ in range(3):
                found = found / found.sum(dim=0)
                found = found / found.sum(dim=1, keepdim=True)
            aims.append(found)
        return (F.cross_entropy(10 * scores[0], aims[1]) + F.cross_entropy(10 * scores[1], aims[0])) / 2

    return loss


def prototype_contrast(width: int, device: torch.device) -> Loss:
    prototypes = F.normalize(torch.randn(20_000, width, device=device))

    def loss(image: Tensor, text: Tensor) -> Tensor:
        members = torch.arange(len(image), device=device)
        return F.cross_entropy(14.3 * F.normalize(image) @ prototypes.T, members)

    return loss


PLAIN: dict[str, Callable[[int, torch.device], Loss]] = {
    "info_nce": info_nce,
    "unicl": unicl,
    "siglip": siglip,
    "compress": compress,
    "proto_cpc": proto_cpc,
    "distill": distill,
    "simcse": simcse,
    "local_contrast": local_contrast,
    "swalip": swalip,
    "swalip_v1": swalip_v1,
    "prototype_contrast": prototype_contrast,
    "seed": seed,
    "dino": dino,
    "vicreg": vicreg,
    "barlow_twins": barlow_twins,
    "rkd": rkd,
}
