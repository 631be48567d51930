"""From a recipe to the other models of a run: copies that follow the learner, and one that is frozen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from protoclip_cli.compute.processes import is_main
from protoclip_cli.compute.randomness import key
from protoclip_cli.core.errors import RecipeError
from protoclip_cli.data.captions import Captions
from protoclip_cli.data.tokens import TokenTable
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.saved import weights_of
from protoclip_cli.models.towers import Towers
from protoclip_cli.recipe.train import TrainRecipe
from protoclip_cli.store.checkpoints import tensors_hash
from protoclip_cli.training.followers import Follower, MomentumCopy, WeightAverage
from protoclip_cli.training.frozen import FrozenModel

_COMPARED = 64


def build_followers(recipe: TrainRecipe, model: DualEncoder) -> dict[str, Follower]:
    """The copies of the model that the recipe asks for, where the model is."""
    followers: dict[str, Follower] = {}
    if recipe.momentum_copy is not None:
        followers["momentum"] = MomentumCopy(model, recipe.momentum_copy.decay)
    if recipe.average is not None:
        followers["average"] = WeightAverage(model, recipe.average.decay, recipe.average.start)
    return followers


def build_frozen(
    recipe: TrainRecipe,
    captions: Captions,
    tokens: TokenTable,
    device: torch.device,
    note: Callable[[str], None],
) -> FrozenModel | None:
    """The recipe's frozen model on the device, if there is one.

    Raises:
        RecipeError: it has no weights, or reads texts in other tokens than the model that learns.
    """
    spec = recipe.frozen_model
    if spec is None:
        return None
    torch.manual_seed(key(recipe.seed, "frozen") >> 1)
    towers: Towers = spec.build()
    if is_main():
        for told in towers.notes:
            note(f"frozen_model: {told}")
    if towers.scale is None and is_main():
        note("frozen_model comes without a temperature of its own; 1 is taken for it")
    _check_tokens(towers, captions, tokens)
    model = DualEncoder(towers, {}).to(device)
    model.prefer_channels_last()
    return FrozenModel(model, tensors_hash(weights_of(model)), note)


def _check_tokens(towers: Towers, captions: Captions, tokens: TokenTable) -> None:
    """Refuse a text tower that knows the run's texts by other tokens."""
    hint = "take a frozen model with the tokenizer and context of `model`, such as another model of open_clip"
    room, length = towers.tokenizer.context_length, tokens.context_length
    if room < length:
        raise RecipeError(f"frozen_model reads {room} tokens, and the texts have up to {length}", hint=hint)
    some = np.unique(np.linspace(0, len(captions) - 1, _COMPARED).astype(np.int64))
    ours = tokens.rows(some, short=False)
    theirs = towers.tokenizer([captions[int(number)] for number in some], context_length=length)
    same = (
        (ours == theirs).all(dim=1)
        if ours.shape == theirs.shape
        else torch.zeros(len(ours), dtype=torch.bool)
    )
    if not same.all() or towers.pad != tokens.pad:
        wrong = captions[int(some[int((~same).int().argmax())])]
        raise RecipeError(f"frozen_model has other tokens than `model`, for example for {wrong!r}", hint=hint)
