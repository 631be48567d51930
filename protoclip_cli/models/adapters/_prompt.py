"""Prompts that learn, for encoders of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.models.adapters._peft import peft, silently


class Prompted(nn.Module):
    """An encoder of transformers with learned states before its tokens; called as the encoder is."""

    def __init__(self, encoder: Any, config: Any, added: int) -> None:
        """Wrap an encoder.

        Args:
            encoder: of transformers.
            config: peft's configuration of the prompt.
            added: tokens that peft's output has before those of the text.
        """
        super().__init__()
        self.config = encoder.config
        self.added = added
        with silently():
            self.prompted = peft().get_peft_model(encoder, config)

    def gradient_checkpointing_enable(self) -> None:
        """Refuse.

        Raises:
            RecipeError: always.
        """
        raise RecipeError(
            "prompts that learn and gradient checkpointing do not go together",
            hint="set compute.grad_checkpointing: false",
        )

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **rest: Any) -> Any:
        """The encoder's output for the text's own tokens."""
        with silently():
            output = self.prompted(input_ids=input_ids, attention_mask=attention_mask, **rest)
        output.last_hidden_state = output.last_hidden_state[:, self.added :]
        return output


def prompt(root: nn.Module, names: Sequence[str], config: Any, *, added: int, kind: str) -> None:
    """Wrap the encoder of a tower.

    Raises:
        RecipeError: the tower is no encoder of transformers, or one that takes no prompts.
    """
    try:
        from transformers import PreTrainedModel
    except ImportError:
        PreTrainedModel = ()  # noqa: N806 (stands for the class)
    found = [name for name in names if isinstance(root.get_submodule(name), PreTrainedModel)]
    outer = [name for name in found if not any(name.startswith(f"{other}.") for other in found)]
    if len(outer) != 1:
        raise RecipeError(
            f"adapter {kind} needs a tower that is an encoder of transformers",
            hint="`kind: lora` works in every tower with linear maps",
        )
    parent, _, child = outer[0].rpartition(".")
    encoder: Any = root.get_submodule(outer[0])
    try:
        prompted = Prompted(encoder, config, added)
        with torch.no_grad():
            prompted(torch.zeros(1, 2, dtype=torch.long), torch.ones(1, 2, dtype=torch.long))
    except (TypeError, ValueError, RuntimeError, AttributeError, KeyError) as error:
        raise RecipeError(
            f"adapter {kind}: peft cannot put a prompt before the tokens of {type(encoder).__name__}",
            hint="encoders like BERT and RoBERTa take prompts; `kind: lora` works in all",
        ) from error
    setattr(root.get_submodule(parent), child, prompted)
