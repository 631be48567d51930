"""Text encoders of Hugging Face transformers."""

from __future__ import annotations

import json
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.models.builders.huggingface import Pooling, pool, text_side
from protoclip_cli.models.by_length import by_length
from protoclip_cli.models.from_transformers import load_model, load_tokenizer, model_of
from protoclip_cli.models.text_towers._tokens import PAD, FastTokenizer, tokenizer_of
from protoclip_cli.models.text_towers.base import TextTower, TextTowerSpec


class PooledTexts(nn.Module):
    """A transformer whose token features become one of the text."""

    def __init__(self, model: nn.Module, pooling: Pooling, fill: int) -> None:
        """Keep a model.

        Args:
            model: of transformers; what reads texts of one that does more.
            pooling: from token features to one.
            fill: a token to stand where a text has ended. It is not attended to.
        """
        super().__init__()
        self.model, self.pooling, self.fill = model, pooling, fill

    def forward(self, tokens: Tensor) -> Tensor:
        """Embed texts: (b, L), filled up with `PAD`, to (b, D)."""
        return by_length(self._embed, tokens, PAD)

    def _embed(self, tokens: Tensor) -> Tensor:
        inside = tokens != PAD
        inside[:, 0] = True  # a text without a token has one place to look at all the same
        rows = torch.where(tokens == PAD, self.fill, tokens)
        states = self.model(input_ids=rows, attention_mask=inside.long()).last_hidden_state
        return pool(states.float(), inside, self.pooling)


class HuggingFaceTextSpec(TextTowerSpec):
    """Any text encoder of transformers, from the hub or a folder."""

    kind: Literal["huggingface"]
    name: str = Field(min_length=1)
    """A name on the hub, or a folder. It brings weights, unless `architecture_only`."""
    revision: str | None = None
    """Which version of it: a branch, tag or commit of the hub."""
    architecture_only: bool = False
    """Leave the weights to chance."""
    pooling: Pooling = "mean"
    """From token features to one: of the text's own tokens, padding left out."""
    length: int = Field(77, gt=2)
    """Longer texts are cut to so many tokens."""

    def build(self) -> TextTower:
        """See `TextTowerSpec`. Code that comes with a model is never run."""
        model, notes = load_model(self.name, self.revision, weights=not self.architecture_only, changes={})
        known = load_tokenizer(self.name, self.revision)
        length = min(self.length, int(known.model_max_length))
        tokenizer = tokenizer_of(known, length, self.name)
        described = {
            "kind": "huggingface",
            "config": json.loads(model.config.to_json_string(use_diff=False)),
            "pooling": self.pooling,
            "fill": int(known.pad_token_id or 0),
            "length": length,
            "tokenizer": tokenizer.content,
        }
        tower = tower_of(model, described, tokenizer, notes)
        _check(tower.module, length, self.name)
        return tower

    @staticmethod
    def rebuild(described: dict[str, Any]) -> TextTower:
        """See `TextTowerSpec`."""
        tokenizer = FastTokenizer(described["tokenizer"], described["length"])
        return tower_of(model_of(described["config"]), described, tokenizer)


def tower_of(
    model: Any, described: dict[str, Any], tokenizer: FastTokenizer, notes: tuple[str, ...] = ()
) -> TextTower:
    """The tower of a model and its description."""
    module = PooledTexts(text_side(model), described["pooling"], described["fill"])
    width = int(model.config.get_text_config().hidden_size)
    return TextTower(module, width, tokenizer, PAD, True, described, notes)


@torch.no_grad()
def _check(module: nn.Module, length: int, name: str) -> None:
    """Refuse a length that the model has no positions for."""
    training = module.training
    try:
        module.eval()(torch.zeros(1, length, dtype=torch.long))
    except (IndexError, RuntimeError, ValueError) as error:
        raise RecipeError(
            f"{name} does not take texts of {length} tokens: {error}", hint="lower the text tower's `length`"
        ) from None
    finally:
        module.train(training)
