"""A model between another and what fine-tuning made of it."""

from __future__ import annotations

from protoclip_cli.evaluation.subjects.base import Subject
from protoclip_cli.evaluation.wise_ft import interpolate


def between(before: Subject, after: Subject, alpha: float) -> Subject:
    """The model whose weights are (1 - alpha) before + alpha after, see `interpolate`.

    It belongs to no run: none has seen these weights.

    Raises:
        DataError: the two are not of one architecture.
    """
    weights = interpolate(before.model.towers.state_dict(), after.model.towers.state_dict(), alpha)
    after.model.towers.load_state_dict(weights)
    return Subject(after.model)
