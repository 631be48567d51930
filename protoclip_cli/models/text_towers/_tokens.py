"""Texts to tokens by the tokenizers library, from one string that travels with a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from protoclip_cli.core.errors import RecipeError

PAD = -1
"""Fills up short texts. It is no token of any vocabulary, so that none is mistaken for padding: some
tokenizers have no token for it, and others take the one that ends a text."""
_SAMPLE = "A photo of two dogs, barking."


class FastTokenizer:
    """A tokenizer as its JSON says."""

    def __init__(self, content: str, context_length: int) -> None:
        """Read it.

        Args:
            content: what `tokenizer.json` holds.
            context_length: the most tokens of a text, its marks included.
        """
        from tokenizers import Tokenizer

        self.content, self.context_length = content, context_length
        self._tokenizer: Any = Tokenizer.from_str(content)
        self._tokenizer.no_padding()

    def __call__(self, texts: Sequence[str], context_length: int | None = None) -> Tensor:
        """(n, L), long."""
        length = context_length or self.context_length
        self._tokenizer.enable_truncation(length)
        rows = torch.full((len(texts), length), PAD)
        for row, found in zip(rows, self._tokenizer.encode_batch(list(texts)), strict=True):
            row[: len(found.ids)] = torch.tensor(found.ids, dtype=torch.long)
        return rows


def tokenizer_of(tokenizer: Any, context_length: int, name: str) -> FastTokenizer:
    """Take over a tokenizer of transformers.

    Raises:
        RecipeError: it is written in Python, so that it cannot travel with the model.
    """
    ours = None
    if getattr(tokenizer, "is_fast", False):
        ours = FastTokenizer(tokenizer.backend_tokenizer.to_str(), context_length)
    if (
        ours is None
        or [token for token in ours([_SAMPLE])[0].tolist() if token != PAD]
        != (tokenizer(_SAMPLE, truncation=True, max_length=context_length)["input_ids"])
    ):
        raise RecipeError(
            f"the tokenizer of {name} is not one of the tokenizers library", hint="use another text tower"
        )
    return ours
