"""What every builder makes: an image tower and a text tower with a shared embedding space."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from torch import Tensor, nn

from protoclip_cli.core.errors import DataError
from protoclip_cli.core.types import Modality, Preprocess


class Tokenizer(Protocol):
    """Texts to tokens."""

    context_length: int

    def __call__(self, texts: Sequence[str], context_length: int | None = None) -> Tensor:
        """(n, L), long, padded to the context length; longer texts are cut."""


@dataclass(frozen=True, slots=True)
class Description:
    """All it takes to build the towers again without their weights; plain values, as in `model.json`."""

    builder: str
    config: dict[str, Any]
    """As the builder needs it. For open_clip: `model_cfg` and `preprocess_cfg`, as in its own files."""


class Towers(nn.Module, ABC):
    """An image tower and a text tower."""

    width: int
    """D, of both embeddings."""
    description: Description
    preprocess: Preprocess
    tokenizer: Tokenizer
    pad: int
    """The token that fills up short texts."""
    short_texts: bool
    """Whether texts may be padded to the longest of a batch instead of the context length."""

    head_weights: Mapping[str, Tensor] = MappingProxyType({})
    """Weights of heads that came with those of the towers, under the names of a dual encoder."""
    notes: tuple[str, ...] = ()
    """What the user should know of the weights."""

    @abstractmethod
    def image(self, pixels: Tensor) -> Tensor:
        """Embed images: (b, 3, H, W), normalised, to (b, D) of any length."""

    @abstractmethod
    def text(self, tokens: Tensor) -> Tensor:
        """Embed texts: (b, L) to (b, D) of any length."""

    def backbone(self, pixels: Tensor) -> Tensor:  # noqa: ARG002
        """What the image tower has before it projects into the shared space: (b, 3, H, W) to (b, any width).

        Raises:
            DataError: the tower does not have these two parts.
        """
        raise DataError(
            "this image tower has no backbone apart from its projection", hint="use `features: embedding`"
        )

    def text_backbone(self, tokens: Tensor) -> Tensor:  # noqa: ARG002
        """What the text tower has before it projects into the shared space: (b, L) to (b, any width).

        Raises:
            DataError: the tower does not have these two parts.
        """
        raise DataError(
            "this text tower has no backbone apart from its projection", hint="use `features: embedding`"
        )

    @abstractmethod
    def is_image(self, name: str) -> bool:
        """Whether a parameter or module of this name belongs to the image tower."""

    def own_name(self, name: str) -> str:
        """A parameter's name as its library has it, which is what patterns of a recipe are compared with."""
        return name

    @abstractmethod
    def locked(self, modality: Modality, unlocked_groups: int) -> frozenset[str]:
        """Names of the parameters of a tower that are not in its last groups of layers.

        Raises:
            RecipeError: the tower has no such groups.
        """

    @property
    @abstractmethod
    def scale(self) -> Tensor | None:
        """The natural logarithm of the scale that came with the weights, or None without weights."""

    @abstractmethod
    def set_scale(self, log_scale: Tensor) -> None:
        """Write the learned scale where the library's own code will look for it."""

    @abstractmethod
    def checkpoint_gradients(self) -> None:
        """Save memory by computing activations again in the backward pass."""
