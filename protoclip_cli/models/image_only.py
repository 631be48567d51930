"""An image encoder as towers, of which one is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Never

from torch import Tensor

from protoclip_cli.core.errors import DataError, RecipeError
from protoclip_cli.core.types import Modality
from protoclip_cli.models.image_encoders.base import ImageEncoderSpec
from protoclip_cli.models.towers import Description, Towers


class ImageOnlyTowers(Towers):
    """The image tower only: whoever asks for texts hears that there is no text tower."""

    short_texts = False
    pad = 0
    scale = None

    def __init__(self, spec: ImageEncoderSpec) -> None:
        """Build the encoder.

        Raises:
            DataError: the weights are not all there: a score of some from chance would mislead.
            RecipeError: there is no such encoder.
        """
        super().__init__()
        encoder = spec.build()
        if encoder.from_chance:
            count, some = len(encoder.from_chance), ", ".join(encoder.from_chance[:3])
            raise DataError(
                f"{spec.pretrained} does not fit: {count} tensors are missing ({some}, ...)",
                hint="name the encoder the weights are of with --model",
            )
        self.encoder, self.preprocess = encoder.module, encoder.preprocess
        self.description, self.notes = Description(spec.kind, encoder.described), encoder.notes
        self.tokenizer = self._no_texts = _NoTexts(f"{spec.kind}:{spec.name}")
        self.width = encoder.measure()

    def image(self, pixels: Tensor) -> Tensor:
        """Embed images."""
        return self.encoder(pixels)  # type: ignore[no-any-return]

    def backbone(self, pixels: Tensor) -> Tensor:
        """There is no projection that could be left out."""
        return self.image(pixels)

    def text(self, tokens: Tensor) -> Never:  # noqa: ARG002
        """Refuse."""
        self._no_texts.refuse()

    def is_image(self, name: str) -> bool:  # noqa: ARG002
        """Everything is the image tower's."""
        return True

    def locked(self, modality: Modality, unlocked_groups: int) -> frozenset[str]:  # noqa: ARG002
        """Only whole encoders can be locked."""
        if unlocked_groups:
            raise RecipeError("an image encoder alone is locked as a whole")
        return frozenset(name for name, _ in self.named_parameters())

    def set_scale(self, log_scale: Tensor) -> None:
        """There is none to set."""

    def checkpoint_gradients(self) -> None:
        """Nothing here is trained."""


class _NoTexts:
    """A tokenizer that takes no texts."""

    context_length = 0

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, texts: Sequence[str], context_length: int | None = None) -> Never:  # noqa: ARG002
        self.refuse()

    def refuse(self) -> Never:
        raise DataError(
            f"{self.name} has no text tower, and nothing can be done with prompts or captions",
            hint="give it probes of images alone, such as linear_probe and clustering",
        )
