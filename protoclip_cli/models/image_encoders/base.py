"""What a builder of image encoders is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import nn

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.spec import Spec
from protoclip_cli.core.types import Preprocess
from protoclip_cli.models.backbone_file import load_backbone


@dataclass(frozen=True, slots=True)
class ImageEncoder:
    """An encoder of images without its classifier."""

    module: nn.Module
    """(b, 3, H, W), normalised, to (b, D), pooled."""
    preprocess: Preprocess
    described: dict[str, Any]
    """All it takes for `ImageEncoderSpec.rebuild`; plain values."""
    notes: tuple[str, ...] = ()
    """What the user should know of the weights."""
    from_chance: tuple[str, ...] = ()
    """Tensors that the weights did not have."""

    def measure(self) -> int:
        """D, found out by encoding one image.

        Raises:
            RecipeError: the encoder does not take images of its size, or makes no feature of one.
        """
        side, training = self.preprocess.size, self.module.training
        kind = self.described.get("kind")
        try:
            with torch.no_grad():
                feature = self.module.eval()(torch.zeros(1, 3, side, side))
        except (RuntimeError, ValueError, AssertionError, TypeError) as error:
            raise RecipeError(
                f"this encoder of {kind} does not take images of {side} pixels: {error}",
                hint="leave its `size` out, or choose one that it takes",
            ) from None
        finally:
            self.module.train(training)
        if not isinstance(feature, torch.Tensor) or feature.ndim != 2:
            raise RecipeError(
                f"this encoder of {kind} does not make one feature of an image",
                hint="choose a classifier, or another pooling",
            )
        return feature.shape[1]


class ImageEncoderSpec(Spec, ABC):
    """An image encoder of a library."""

    kind: str
    name: str = Field(min_length=1)
    """What the library calls it."""
    pretrained: str | None = None
    """Weights to start from: a file of the library or of self-supervised training (MoCo, SimCLR, SwAV, SEED,
    DINO, VICReg, Barlow Twins), or a tag of published ones. Left out: they are left to chance."""

    @property
    def from_chance(self) -> bool:
        """Whether it starts without any weights."""
        return self.pretrained is None

    def build(self) -> ImageEncoder:
        """Make the encoder, with weights if the spec names some.

        Raises:
            RecipeError: the library has none of this name, or no such weights.
            DataError: the weights are unreadable or of another encoder.
        """
        if self.pretrained is None:
            return self.bare()
        path = Path(self.pretrained).expanduser()
        if not path.is_file():
            return self.published(self.pretrained)
        encoder = self.bare()
        fit = load_backbone(encoder.module, path)
        return replace(encoder, notes=(*encoder.notes, fit.words(path)), from_chance=fit.from_chance)

    @abstractmethod
    def bare(self) -> ImageEncoder:
        """Make the encoder with weights left to chance.

        Raises:
            RecipeError: the library has none of this name.
        """

    def published(self, tag: str) -> ImageEncoder:
        """Make the encoder with weights that the library publishes.

        Raises:
            RecipeError: it publishes none of this name.
        """
        raise no_weights(self, tag, ())

    @classmethod
    def rebuild(cls, described: dict[str, Any], preprocess: Preprocess) -> ImageEncoder:
        """Make the encoder of a description again, without weights and without a network.

        Args:
            described: see `ImageEncoder`.
            preprocess: what it expected of its images, whatever its library says today.
        """
        return replace(cls.model_validate(described).bare(), preprocess=preprocess)

    def plain(self) -> dict[str, Any]:
        """The spec without its weights, as a description."""
        return self.model_dump(mode="json", exclude={"pretrained"})


class Sized(Spec):
    """An encoder that takes images of other sizes too."""

    size: int | None = Field(None, gt=0)
    """Side of its images in pixels. Left out: what the library's weights were trained with."""

    def sized(self, preprocess: Preprocess) -> Preprocess:
        """What it expects of its images."""
        return preprocess if self.size is None else replace(preprocess, size=self.size)


def no_weights(spec: ImageEncoderSpec, tag: str, known: tuple[str, ...]) -> RecipeError:
    """What to tell where `pretrained` is nothing."""
    advice = (
        f"tags of {spec.name}: {', '.join(known)}" if known else f"{spec.kind} publishes no tags; name a file"
    )
    return RecipeError(f"pretrained '{tag}' is neither a file nor a tag of {spec.name}", hint=advice)


def unknown(library: str, name: str, known: list[str], listed_by: str) -> RecipeError:
    """What to tell where a library has no such encoder."""
    close = get_close_matches(name, known, n=3)
    advice = f"did you mean {' or '.join(close)}?" if close else f"see `{listed_by}`"
    return RecipeError(f"{library} has no encoder '{name}'", hint=advice)
