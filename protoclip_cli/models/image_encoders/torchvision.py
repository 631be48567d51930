"""Image encoders of torchvision."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from torch import nn

from protoclip_cli.core.types import Preprocess
from protoclip_cli.models.image_encoders._wide_resnet import WIDTHS, wide_resnet50
from protoclip_cli.models.image_encoders.base import (
    ImageEncoder,
    ImageEncoderSpec,
    Sized,
    no_weights,
    unknown,
)

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, for nearly all of them
_OF_TENSORFLOW = {"googlenet", "inception_v3"}
_HALF = (0.5, 0.5, 0.5)
_CLASSIFIERS = ("fc", "classifier", "heads", "head")


class TorchvisionSpec(Sized, ImageEncoderSpec):
    """An image encoder of torchvision, pooled, without its classifier.

    Besides: SwAV's wide ResNets `resnet50w2`, `resnet50w4` and `resnet50w5`.
    """

    kind: Literal["torchvision"] = "torchvision"

    def bare(self) -> ImageEncoder:
        """See `ImageEncoderSpec`.

        Size and interpolation are those of the library's best weights. Images are resized to that size and
        cropped at the centre, without the margin that the library leaves.
        """
        if self.name in WIDTHS:
            preprocess = Preprocess(224, _MEAN, _STD, "bilinear")
            return ImageEncoder(wide_resnet50(self.name), self.sized(preprocess), self.plain())
        import torchvision

        known = torchvision.models.list_models(module=torchvision.models)
        if self.name not in known:
            raise unknown("torchvision", self.name, [*known, *WIDTHS], "torchvision.models.list_models()")
        settings: dict[str, Any] = {}
        if self.name in _OF_TENSORFLOW:
            # These two have a second classifier in training, and warn unless told how to start.
            settings = {"init_weights": True, "aux_logits": False}
        elif self.size is not None and self.name.startswith("vit_"):
            settings = {"image_size": self.size}
        module = torchvision.models.get_model(self.name, weights=None, **settings)
        _remove_classifier(module)
        made_for = torchvision.models.get_model_weights(self.name).DEFAULT
        return ImageEncoder(module, self.sized(self._preprocess(made_for)), self.plain())

    def _preprocess(self, weights: Any) -> Preprocess:
        made_for = weights.transforms()
        # Those of TensorFlow would first turn ImageNet's mean and deviation into these.
        mean, std = (_HALF, _HALF) if self.name in _OF_TENSORFLOW else (_MEAN, _STD)
        return Preprocess(int(made_for.crop_size[0]), mean, std, made_for.interpolation.value)

    def published(self, tag: str) -> ImageEncoder:
        """See `ImageEncoderSpec`; a tag is a name such as IMAGENET1K_V2, or DEFAULT for the best."""
        import torchvision

        encoder = self.bare()
        tags = () if self.name in WIDTHS else torchvision.models.get_model_weights(self.name).__members__
        if tag not in tags:
            raise no_weights(self, tag, tuple(tags))
        weights = torchvision.models.get_model_weights(self.name)[tag]
        state = weights.get_state_dict(progress=False, check_hash=True)
        own = encoder.module.state_dict().keys()
        encoder.module.load_state_dict({name: tensor for name, tensor in state.items() if name in own})
        return replace(encoder, preprocess=self.sized(self._preprocess(weights)))


def _remove_classifier(module: nn.Module) -> None:
    """Replace the last linear map by nothing."""
    name = next(name for name in _CLASSIFIERS if hasattr(module, name))
    classifier = getattr(module, name)
    if not isinstance(classifier, nn.Sequential):
        setattr(module, name, nn.Identity())
        return
    last, layer = list(classifier.named_children())[-1]
    if not isinstance(layer, nn.Linear):  # SqueezeNet classifies by convolution, then pools
        last = next(key for key, child in classifier.named_children() if isinstance(child, nn.Conv2d))
    setattr(classifier, last, nn.Identity())
