"""What turns captions into features outside training: teachers, and whatever embeds prompts like them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from protoclip_cli.core.spec import Spec


class Texts(Protocol):
    """All captions of a source."""

    def __len__(self) -> int:
        """How many there are."""

    def slice(self, start: int, stop: int) -> list[str]:
        """Those from `start` up to `stop`."""


class TextEncoder(ABC):
    """Embeds texts. The features of a text do not depend on those embedded with it, but for rounding."""

    width: int
    """S, of the features."""
    truncated: int = 0
    """Texts that were too long so far, and were cut."""
    unknown: int = 0
    """Texts without a known word so far; their features are zero."""

    @abstractmethod
    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features, (n, S), any length."""

    def save(self, folder: Path) -> None:  # noqa: B027 - most have nothing to save
        """Write what the spec alone does not say, such as what was fitted on the captions."""


class TextEncoderSpec(Spec, ABC):
    """How a recipe writes an encoder of texts."""

    kind: str
    dim: int | None = Field(64, gt=0)
    """Reduce features to this width by principal components. Empty: leave them as they are."""

    @abstractmethod
    def open(self, captions: Texts, *, seed: int, device: Any) -> TextEncoder:
        """Make the encoder; what is fitted is fitted on these captions.

        Raises:
            MissingExtra: its library is not installed.
            RecipeError: no such model.
        """

    def reopen(self, folder: Path, *, device: Any) -> TextEncoder:  # noqa: ARG002
        """Make the encoder again from what `save` wrote, to embed other texts into the same space."""
        return self.open(_NONE, seed=0, device=device)


class _NoTexts:
    def __len__(self) -> int:
        return 0

    def slice(self, start: int, stop: int) -> list[str]:  # noqa: ARG002
        return []


_NONE = _NoTexts()


def by_length(texts: Sequence[str], batch: int) -> Iterable[list[int]]:
    """Places of texts in batches of like length, longest first, so that memory runs out at once or never.

    >>> list(by_length(["aa", "a", "aaa"], 2))
    [[2, 0], [1]]
    """
    order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
    for start in range(0, len(order), batch):
        yield order[start : start + batch]
