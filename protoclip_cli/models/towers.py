"""What every builder makes: an image tower and a text tower with a shared embedding space."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from torch import Tensor, nn

from protoclip_cli.core.errors import DataError, RecipeError
from protoclip_cli.core.types import Modality, Preprocess
from protoclip_cli.models.layers_above import layers_above

READ_THE_EMBEDDING = "let the head read the embedding (`of: embedding`), or choose another tower"


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
    says_next_tokens: bool = False
    """Whether `with_next_tokens` works."""
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

    def image_parts(self, pixels: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """What the image tower has before its projection, and the embedding, in one pass.

        Args:
            pixels: (b, 3, H, W), normalised.

        Returns:
            (b, any width) and (b, D).

        Raises:
            RecipeError: the tower does not have these two parts.
        """
        raise RecipeError(
            "this image tower has no features before a projection that a head could read",
            hint=READ_THE_EMBEDDING,
        )

    def text_parts(self, tokens: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """What the text tower has before its projection, and the embedding, in one pass.

        Args:
            tokens: (b, L).

        Returns:
            (b, any width) and (b, D).

        Raises:
            RecipeError: the tower does not have these two parts.
        """
        raise RecipeError(
            "this text tower has no features before a projection that a head could read",
            hint=READ_THE_EMBEDDING,
        )

    def with_next_tokens(
        self,
        pixels: Tensor,  # noqa: ARG002
        tokens: Tensor,  # noqa: ARG002
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Embed images and their texts, and say what the next token of each text is.

        Args:
            pixels: (b, 3, H, W), normalised.
            tokens: (b, L).

        Returns:
            Embeddings (b, D) of images and of texts; logits (b, L - 1, V); the tokens they speak of
            (b, L - 1), -100 where of none.

        Raises:
            RecipeError: the model does not write.
        """
        raise RecipeError(
            "this model says nothing of next tokens",
            hint="take one that writes captions, such as coca_ViT-B-32",
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

    def is_projection(self, name: str) -> bool:  # noqa: ARG002
        """Whether a parameter projects what a tower has made into the shared space."""
        return False

    def layers_above(self, modality: Modality) -> Mapping[str, int]:
        """How many layers stand between each parameter of a tower and its output: 0 for its projection.

        Raises:
            RecipeError: the tower has no layers that could be counted.
        """
        is_image = modality is Modality.IMAGE
        names = [name for name, _ in self.named_parameters() if self.is_image(name) == is_image]
        if found := layers_above(self, names, self.is_projection):
            return found
        raise RecipeError(
            f"the {modality.value} tower has no layers above one another",
            hint=f"leave optimizer.layer_decay.{modality.value} out",
        )

    @property
    @abstractmethod
    def scale(self) -> Tensor | None:
        """The natural logarithm of the scale that came with the weights, or None without weights."""

    @abstractmethod
    def set_scale(self, log_scale: Tensor) -> None:
        """Write the learned scale where the library's own code will look for it."""

    @abstractmethod
    def checkpoint_gradients(self) -> None:
        """Save memory by computing activations again in the backward pass.

        Raises:
            RecipeError: a tower cannot.
        """
