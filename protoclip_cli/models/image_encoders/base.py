"""What a builder of image encoders is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field
from torch import Tensor, nn

from protoclip_cli.core.errors import DataError
from protoclip_cli.core.spec import Spec
from protoclip_cli.core.types import Preprocess
from protoclip_cli.models.state_file import read_state, without_prefix


@dataclass(frozen=True, slots=True)
class ImageEncoder:
    """An encoder of images without its classifier."""

    module: nn.Module
    """(b, 3, H, W), normalised, to (b, D), pooled."""
    preprocess: Preprocess
    classifier: tuple[str, ...]
    """How the names of the classifier's tensors begin, which a file of weights may have."""


class ImageEncoderSpec(Spec, ABC):
    """An image encoder of a library."""

    kind: str
    name: str = Field(min_length=1)
    """What the library calls it."""
    pretrained: Path | None = None
    """A file of its weights. Left out: they are left to chance."""

    def build(self) -> ImageEncoder:
        """Make the encoder, with weights if the spec names a file.

        Raises:
            RecipeError: the library has none of this name.
            DataError: the weights are unreadable or of another encoder.
        """
        encoder = self.bare()
        if self.pretrained is not None:
            state = without_prefix(read_state(self.pretrained))
            _load(encoder, state, self.pretrained)
        return encoder

    @abstractmethod
    def bare(self) -> ImageEncoder:
        """Make the encoder with weights left to chance.

        Raises:
            RecipeError: the library has none of this name.
        """


def _load(encoder: ImageEncoder, state: Mapping[str, Tensor], file: Path) -> None:
    own = encoder.module.state_dict()
    known = {name: tensor for name, tensor in state.items() if not name.startswith(encoder.classifier)}
    wrong = [name for name in own if name not in known or known[name].shape != own[name].shape]
    if wrong or (extra := sorted(known.keys() - own.keys())):
        names = ", ".join((wrong or extra)[:3])
        raise DataError(
            f"{file} does not fit: {len(wrong)} of {len(own)} tensors are missing or of another shape, "
            f"{len(known.keys() - own.keys())} unknown ({names}, ...)",
            hint="name the encoder the weights are of with --model",
        )
    encoder.module.load_state_dict(known)
