"""What a text view is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.core.spec import Spec
from protoclip_cli.data.captions import Captions


class TextView(ABC):
    """A policy, ready to be applied: which captions of the rows are read, and how their words change."""

    changes: bool = True
    """Whether texts change. Where they do not, tokens are looked up that were made once per run."""
    several: bool = False
    """Whether it wants rows with as many captions as there are views."""

    def choose(
        self,
        captions: Captions,  # noqa: ARG002
        rows: NDArray[np.int64],  # noqa: ARG002
        chosen: NDArray[np.int64],
        number: int,  # noqa: ARG002
        keys: NDArray[np.uint64],  # noqa: ARG002
    ) -> NDArray[np.int64]:
        """Which captions a view reads; here those of view 0. Not asked for view 0.

        Args:
            captions: of the source.
            rows: (b,).
            chosen: (b,), the captions that view 0 reads.
            number: of the view, 1 or more.
            keys: (b,), the same for all views of a row, so that they can agree on an order.

        Returns:
            (b,).
        """
        return chosen

    @abstractmethod
    def __call__(self, texts: Sequence[str], keys: NDArray[np.uint64]) -> list[str]:
        """Make one view of each text.

        Args:
            texts: b texts.
            keys: (b,), of this view: all chance of a text comes from its key.
        """

    def new_words(self) -> frozenset[str]:
        """Words it may write that no caption has."""
        return frozenset()


class TextViewSpec(Spec, ABC):
    """How a recipe writes a text view."""

    kind: str

    def files(self) -> tuple[Path, ...]:
        """Files it reads besides the captions."""
        return ()

    @abstractmethod
    def build(self) -> TextView:
        """Make the view.

        Raises:
            DataError: a file it reads is missing or not in the form it should have.
        """
