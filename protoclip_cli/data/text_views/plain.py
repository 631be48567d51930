"""The caption as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.data.text_views.base import TextView, TextViewSpec


class Plain(TextView):
    """Texts as they are: all views of a row are equal."""

    changes = False

    def __call__(self, texts: Sequence[str], keys: NDArray[np.uint64]) -> list[str]:  # noqa: ARG002 (no chance)
        return list(texts)


class PlainSpec(TextViewSpec):
    """The caption as it is: tokenised once per run. Several views of it are equal, as SimCSE wants them."""

    kind: Literal["plain"]

    def build(self) -> Plain:
        return Plain()
