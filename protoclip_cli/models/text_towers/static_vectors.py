"""Word vectors as a text tower: the mean of those of a text's words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from protoclip_cli.models.builders.static_vectors import first_vectors, split
from protoclip_cli.models.text_towers._tokens import PAD
from protoclip_cli.models.text_towers.base import TextTower, TextTowerSpec


class WordTokenizer:
    """Words by their place in a list; others are left out."""

    def __init__(self, words: Sequence[str], context_length: int) -> None:
        """Keep the words."""
        self.context_length = context_length
        self._places = {word: place for place, word in enumerate(words)}

    def __call__(self, texts: Sequence[str], context_length: int | None = None) -> Tensor:
        """(n, L), long."""
        length = context_length or self.context_length
        rows = torch.full((len(texts), length), PAD)
        for row, text in zip(rows, texts, strict=True):
            places = [self._places[word] for word in split(text) if word in self._places][:length]
            row[: len(places)] = torch.tensor(places, dtype=torch.long)
        return rows


class MeanOfWords(nn.Module):
    """The mean of the vectors of a text's words. A text without a known word is zero."""

    def __init__(self, words: int, width: int) -> None:
        """Make a table of vectors, left to chance."""
        super().__init__()
        self.vectors = nn.Embedding(words, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Embed texts: (b, L), filled up with `PAD`, to (b, D)."""
        inside = tokens != PAD
        found = self.vectors(tokens.clamp(min=0)) * inside[:, :, None]
        mean: Tensor = found.sum(dim=1) / inside.sum(dim=1, keepdim=True).clamp(min=1)
        return mean


class StaticVectorsTowerSpec(TextTowerSpec):
    """Word vectors of a GloVe or word2vec text file, which learn unless the tower is locked."""

    kind: Literal["static_vectors"]
    path: Path
    """The file: a word and its numbers on each line, with or without a first line of counts."""
    words: int = Field(50_000, gt=0)
    """How many of its words to take, from the first on. Such files begin with the most frequent ones."""
    length: int = Field(77, gt=0)
    """Longer texts are cut to so many known words."""

    def build(self) -> TextTower:
        """See `TextTowerSpec`."""
        words, vectors = first_vectors(self.path.expanduser(), self.words)
        described = {
            "kind": "static_vectors",
            "words": words,
            "width": vectors.shape[1],
            "length": self.length,
        }
        tower = self.rebuild(described)
        assert isinstance(tower.module, MeanOfWords)
        tower.module.vectors.weight.data.copy_(torch.from_numpy(np.ascontiguousarray(vectors)))
        return tower

    @staticmethod
    def rebuild(described: dict[str, Any]) -> TextTower:
        """See `TextTowerSpec`."""
        words, width = described["words"], described["width"]
        tokenizer = WordTokenizer(words, described["length"])
        return TextTower(MeanOfWords(len(words), width), width, tokenizer, PAD, True, described)
