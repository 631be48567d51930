"""From a recipe's view policies to what makes the views."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.reporter import Reporter
from protoclip_cli.data.pairs import PairSource
from protoclip_cli.data.text_views import TextView
from protoclip_cli.data.tokens import Tokens, TokenTable
from protoclip_cli.data.views import ImageView
from protoclip_cli.models.towers import Towers
from protoclip_cli.recipe.train import TrainRecipe
from protoclip_cli.workflows.tokenizing import Tokenizing


def build_image_views(recipe: TrainRecipe, towers: Towers) -> list[ImageView]:
    """What makes the image views, by number.

    Raises:
        RecipeError: a policy makes images of a size that the tower does not take.
    """
    policies = recipe.views.image_policies(recipe.needs.image_views)
    own = towers.preprocess.size
    for side in sorted({policy.side(towers.preprocess) for policy, _ in policies} - {own}):
        if not _takes(towers, side):
            raise RecipeError(
                f"views: the image tower takes images of {own} pixels, and not of {side}",
                hint="leave `size` of the view out",
            )
    return [policy.build_number(towers.preprocess, number) for policy, number in policies]


def _takes(towers: Towers, side: int) -> bool:
    """Whether the image tower takes images of another size; tried, because no library says it."""
    device = next(towers.parameters()).device
    with _evaluating(towers), torch.no_grad():
        try:
            towers.image(torch.zeros(1, 3, side, side, device=device))
        except (RuntimeError, ValueError, AssertionError):
            return False
    return True


@contextmanager
def _evaluating(towers: Towers) -> Iterator[None]:
    """As in evaluation inside, so that norms remember nothing of what is tried."""
    training = {module: module.training for module in towers.modules()}
    towers.eval()
    try:
        yield
    finally:
        for module, before in training.items():
            module.training = before


def largest_side(recipe: TrainRecipe, towers: Towers) -> int:
    """Of the image views, in pixels."""
    policies = recipe.views.image_policies(recipe.needs.image_views)
    return max(policy.side(towers.preprocess) for policy, _ in policies)


def build_text_views(recipe: TrainRecipe, source: PairSource, reporter: Reporter) -> list[TextView]:
    """What makes the text views, by number; the last one makes any further views.

    Raises:
        DataError: a thesaurus is missing or not in the form it should have.
    """
    views = [policy.build() for policy in recipe.views.text_policies]
    count = recipe.needs.text_views
    if count > 1 and views[-1].several:
        few = int((source.captions.spans(np.arange(len(source)))[1] < count).sum())
        if few:
            reporter.warn(
                f"{few:,} of {len(source):,} rows have fewer captions than the {count} text views that read "
                "one each; they read some again"
            )
    return views


def tokens_that_learn(recipe: TrainRecipe, towers: Towers, table: TokenTable) -> Tensor | None:
    """The tokens that the text tower is to know, ascending, (U,); None: all.

    With `model.vocabulary: used`, those of the captions and of the words that text views may write.
    """
    if recipe.model.vocabulary == "full":
        return None
    words = sorted({word for policy in recipe.views.text_policies for word in policy.build().new_words()})
    if not words:
        return table.used()
    made = Tokens(Tokenizing(towers.tokenizer), table.context_length).table(words)
    return torch.from_numpy(np.union1d(table.used().numpy(), made.ids))
