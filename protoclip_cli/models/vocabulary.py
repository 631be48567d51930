"""A token table of which only the tokens in use learn.

A small data set uses a few thousand of CLIP's 49,408 tokens, yet gradients and optimiser would run over the
whole table in every step. `UsedVocabulary` trains the rows in use and keeps the rest as they started. It
saves and loads as the full table, so a checkpoint is that of the ordinary model. A decoder that says next
tokens (CoCa) then chooses among those in use. It never learns to leave out the others, which stay as they
started: whoever lets it write later must leave them out.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class UsedVocabulary(nn.Module):
    """Stands in for an `nn.Embedding`."""

    slot: Tensor
    table: Tensor

    def __init__(self, embedding: nn.Embedding, used: Tensor) -> None:
        """Train only some tokens.

        Args:
            embedding: the full table, (V, W).
            used: (U,), the different tokens in use.
        """
        super().__init__()
        self.weight = nn.Parameter(embedding.weight.detach()[used].clone())
        slot = torch.full((len(embedding.weight),), -1)
        slot[used] = torch.arange(len(used))
        self.register_buffer("slot", slot, persistent=False)
        self.register_buffer("table", embedding.weight.detach().clone(), persistent=False)
        self.register_state_dict_post_hook(_save_full)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_load_full)  # type: ignore[no-untyped-call]

    def forward(self, tokens: Tensor) -> Tensor:
        """The rows of tokens; (b, L) to (b, L, W). In training all tokens must be ones in use."""
        slot = self.slot[tokens]
        if self.training:
            return F.embedding(slot, self.weight)
        known = F.embedding(slot.clamp(min=0), self.weight)
        return torch.where((slot >= 0).unsqueeze(-1), known, F.embedding(tokens, self.table))

    def places(self, tokens: Tensor) -> Tensor:
        """Number tokens by their places among those in use; -100, as what is no token, where they are not."""
        slot = self.slot[tokens.clamp(min=0)].where(tokens >= 0, -1)
        return slot.where(slot >= 0, -100)


def _save_full(module: nn.Module, state: dict[str, Any], prefix: str, metadata: object) -> None:  # noqa: ARG001
    assert isinstance(module, UsedVocabulary)
    full = module.table.clone()
    full[module.slot >= 0] = module.weight.detach()[module.slot[module.slot >= 0]]
    state[f"{prefix}weight"] = full


def _load_full(module: nn.Module, state: dict[str, Any], prefix: str, *rest: object) -> None:  # noqa: ARG001
    assert isinstance(module, UsedVocabulary)
    full = state[f"{prefix}weight"]
    module.table.copy_(full)
    rows = torch.empty_like(module.weight)
    rows[module.slot[module.slot >= 0]] = full[module.slot >= 0].to(rows)
    state[f"{prefix}weight"] = rows


def _choose_among(decoder: nn.Module, used: Tensor) -> None:
    """Leave a decoder only the tokens in use to choose from. It saves and loads its full matrix."""
    full = decoder.get_parameter("text_projection").detach()
    decoder.text_projection = nn.Parameter(full[:, used].clone())
    decoder.register_buffer("used_tokens", used.clone(), persistent=False)
    decoder.register_buffer("full_text_projection", full.clone(), persistent=False)
    decoder.register_state_dict_post_hook(_save_all_outputs)
    decoder.register_load_state_dict_pre_hook(_load_all_outputs)


def _save_all_outputs(decoder: nn.Module, state: dict[str, Any], prefix: str, metadata: object) -> None:  # noqa: ARG001
    full = decoder.get_buffer("full_text_projection").clone()
    full[:, decoder.get_buffer("used_tokens")] = decoder.get_parameter("text_projection").detach()
    state[f"{prefix}text_projection"] = full


def _load_all_outputs(decoder: nn.Module, state: dict[str, Any], prefix: str, *rest: object) -> None:  # noqa: ARG001
    full = state[f"{prefix}text_projection"]
    decoder.get_buffer("full_text_projection").copy_(full)
    state[f"{prefix}text_projection"] = full[:, decoder.get_buffer("used_tokens").to(full.device)]


def keep_used_vocabulary(module: nn.Module, used: Tensor) -> bool:
    """Replace the token table of a text tower, and a decoder's next tokens. False where there is no table.

    Args:
        module: searched for an `nn.Embedding` named `token_embedding`, and for a `text_decoder`.
        used: (U,), the different tokens in use.
    """
    found = (c for c in module.modules() if isinstance(getattr(c, "token_embedding", None), nn.Embedding))
    tower: Any = next(found, None)
    if tower is None:
        return False
    for child in list(module.modules()):
        if isinstance(decoder := getattr(child, "text_decoder", None), nn.Module):
            _choose_among(decoder, used)
    table = tower.token_embedding
    tower.token_embedding = UsedVocabulary(table, used).train(table.training)
    return True
