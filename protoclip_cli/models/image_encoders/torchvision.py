"""Image encoders of torchvision."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, Literal

from torch import nn

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.types import Preprocess
from protoclip_cli.models.image_encoders.base import ImageEncoder, ImageEncoderSpec

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, for all of them
_CLASSIFIERS = ("fc", "classifier", "heads", "head")


class TorchvisionSpec(ImageEncoderSpec):
    """An image encoder of torchvision, pooled, without its classifier."""

    kind: Literal["torchvision"] = "torchvision"

    def bare(self) -> ImageEncoder:
        """See `ImageEncoderSpec`.

        Size and interpolation are those of the library's best weights. Images are resized to that size and
        cropped at the centre, without the margin that the library leaves.
        """
        import torchvision

        known = torchvision.models.list_models(module=torchvision.models)
        if self.name not in known:
            close = get_close_matches(self.name, known, n=3)
            advice = f"did you mean {' or '.join(close)}?" if close else f"choose from {', '.join(known)}"
            raise RecipeError(f"torchvision has no classifier '{self.name}'", hint=advice)
        slow_start = self.name in {"googlenet", "inception_v3"}  # which else warn that they have one
        settings: dict[str, Any] = {"init_weights": True} if slow_start else {}
        module = torchvision.models.get_model(self.name, weights=None, **settings)
        made_for = torchvision.models.get_model_weights(self.name).DEFAULT.transforms()
        preprocess = Preprocess(int(made_for.crop_size[0]), _MEAN, _STD, made_for.interpolation.value)
        return ImageEncoder(module, preprocess, (*_without_last(module), "AuxLogits.", "aux1.", "aux2."))


def _without_last(module: nn.Module) -> tuple[str, ...]:
    """Replace the last linear map by nothing; what the names of its tensors began with."""
    name = next(name for name in _CLASSIFIERS if hasattr(module, name))
    classifier = getattr(module, name)
    if not isinstance(classifier, nn.Sequential):
        setattr(module, name, nn.Identity())
        return (f"{name}.",)
    last, layer = list(classifier.named_children())[-1]
    if not isinstance(layer, nn.Linear):  # SqueezeNet classifies by convolution, then pools
        last = next(key for key, child in classifier.named_children() if isinstance(child, nn.Conv2d))
    setattr(classifier, last, nn.Identity())
    return (f"{name}.{last}.",)
