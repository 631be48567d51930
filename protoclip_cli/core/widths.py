"""How wide the features are that objectives read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Widths:
    """Columns of everything an objective may read; known before the first step."""

    embedding: int
    """D, of both embeddings."""
    heads: Mapping[str, int] = field(default_factory=dict)
    """P, by the name of a head."""
    teacher: int | None = None
    """T, of the features of a bank."""
    frozen: int | None = None
    """F, of the frozen model's embeddings."""
    classes: int = 0
    """How many classes the labels of the pairs name."""

    def of(self, head: str | None) -> int:
        """The width of a head's projections; of the embeddings for None.

        >>> Widths(512, {"proto": 128}).of("proto")
        128
        """
        return self.embedding if head is None else self.heads[head]
