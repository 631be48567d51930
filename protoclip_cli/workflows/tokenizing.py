"""A tower's tokenizer as `data.tokens` calls it."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Tokenizing:
    """A tower's tokenizer as `data.tokens` calls it; travels to other processes."""

    towers_tokenizer: object

    def __call__(self, texts: object, length: int) -> torch.Tensor:
        """Tokens of texts, padded or cut to a length."""
        return self.towers_tokenizer(list(texts), context_length=length)  # type: ignore[operator, call-overload, no-any-return]
