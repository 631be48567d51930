"""Whether towers can do what objectives need of them, found out before the first step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.types import Modality
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.evaluating import in_mode
from protoclip_cli.models.norms import norms_remember_nothing
from protoclip_cli.recipe.train import TrainRecipe

_PASSES = 8
_SOME = 0.01


def check_abilities(recipe: TrainRecipe, model: DualEncoder) -> None:
    """Refuse towers that cannot do what objectives need of them.

    Raises:
        RecipeError: a tower has no dropout, or the model says nothing of next tokens.
    """
    towers = model.towers
    blank = torch.zeros(2, 3, towers.preprocess.size, towers.preprocess.size, dtype=torch.uint8)
    for name, spec in recipe.typed_objectives.items():
        needs = spec.needs()
        if needs.token_logits:
            with torch.no_grad(), in_mode(model, training=False):
                model.run_with_next_tokens(blank, towers.tokenizer(["a", "b"]))
        for side in sorted(needs.dropout):
            if not drops_something(model, Modality(side)):
                raise RecipeError(
                    f"objectives.{name} needs {side} features that differ from pass to pass, and this {side} "
                    "tower drops nothing while it learns",
                    hint=f"take a {side} tower with dropout in its configuration, or leave the objective out",
                )


@torch.no_grad()
def drops_something(model: DualEncoder, side: Modality) -> bool:
    """Whether a tower, while it learns, makes different features of one view: it has dropout of any kind."""
    towers, size = model.towers, model.towers.preprocess.size
    if side is Modality.IMAGE:
        view = torch.arange(2 * 3 * size * size).reshape(2, 3, size, size).remainder(251).to(torch.uint8)
    else:
        view = towers.tokenizer(["", ""])  # words may be missing from a vocabulary that only has used ones
    with in_mode(model, training=True), norms_remember_nothing(model), _without_zeros(model):
        passes = []
        for number in range(_PASSES):
            torch.manual_seed(number)
            passes.append(model(side, view).embedding)
    return any(not torch.equal(passes[0], one) for one in passes[1:])


@contextmanager
def _without_zeros(model: DualEncoder) -> Iterator[None]:
    """Fill parameters that start at zero: behind them, as in LoRA, dropout would not be seen yet."""
    zeros = [parameter for parameter in model.parameters() if not parameter.any()]
    for parameter in zeros:
        parameter.fill_(_SOME)
    try:
        yield
    finally:
        for parameter in zeros:
            parameter.zero_()
