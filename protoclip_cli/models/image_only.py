"""An image encoder as towers, of which one is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Never

import torch
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
        """Build the encoder."""
        super().__init__()
        encoder = spec.build()
        self.encoder, self.preprocess = encoder.module, encoder.preprocess
        self.description = Description(spec.kind, {"name": spec.name})
        self.tokenizer = self._no_texts = _NoTexts(f"{spec.kind}:{spec.name}")
        self.width = self._measure()

    @torch.no_grad()
    def _measure(self) -> int:
        side = self.preprocess.size
        return int(self.encoder.eval()(torch.zeros(1, 3, side, side)).shape[1])

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
