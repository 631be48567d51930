"""What turns captions into features outside training: teachers, and whatever embeds prompts like them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from protoclip_cli.core.errors import MissingExtra, RecipeError
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
    normalize: bool = True
    """Give features unit length before they are reduced, as the original did."""

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


def by_length(lengths: Sequence[int], room: int) -> Iterator[list[int]]:
    """Places of texts in batches of like length, longest first, so that memory runs out at once or never.

    Args:
        lengths: of each text, in tokens.
        room: tokens of a batch, its padding included.

    >>> list(by_length([2, 1, 3, 1], 4))
    [[2], [0, 1], [3]]
    """
    order = sorted(range(len(lengths)), key=lambda place: -lengths[place])
    while order:
        count = max(1, room // max(1, lengths[order[0]]))
        yield order[:count]
        order = order[count:]


def batch_for(device: Any, asked: int | None) -> int:
    """Texts of full length to encode at a time: as many as asked for, else what suits the device.

    What a CPU works on should fit its cache (on one core, 8 were twice as fast as 256); a GPU must be filled.
    """
    return asked or (8 if is_cpu(device) else 256)


def is_cpu(device: Any) -> bool:
    """Whether a device, or its name, is the processor."""
    return str(device).partition(":")[0] == "cpu"


def missing(package: str) -> MissingExtra:
    """What to tell where a teacher's library is not installed."""
    return MissingExtra(f"this teacher needs the package {package}", hint="pip install 'protoclip[teachers]'")


def no_model(name: str, error: Exception) -> RecipeError:
    """What to tell where a model cannot be loaded."""
    first = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return RecipeError(
        f"the model '{name}' cannot be loaded: {first}",
        hint="give a folder, or a name on the hub and a connection to it",
    )


def check_precision(precision: str, device: Any) -> None:
    """Refuse what a device cannot compute in.

    Raises:
        RecipeError: fp16 without a GPU.
    """
    if precision == "fp16" and is_cpu(device):
        raise RecipeError("teacher.precision: fp16 needs a GPU", hint="use bf16 or fp32 on a CPU")
