"""Image encoders of timm."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, Literal

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.types import Preprocess
from protoclip_cli.models.image_encoders.base import ImageEncoder, ImageEncoderSpec


class TimmSpec(ImageEncoderSpec):
    """An image encoder of timm, pooled, without its classifier."""

    kind: Literal["timm"] = "timm"

    def bare(self) -> ImageEncoder:
        """See `ImageEncoderSpec`.

        Images are resized to the encoder's size and cropped at the centre; timm's `crop_pct` is not used.
        """
        import timm
        from timm.data import resolve_model_data_config

        if not timm.is_model(self.name):
            close = get_close_matches(self.name, timm.list_models(), n=3)
            advice = f"did you mean {' or '.join(close)}?" if close else "see `timm.list_models()`"
            raise RecipeError(f"timm has no model '{self.name}'", hint=advice)
        module: Any = timm.create_model(self.name, pretrained=False, num_classes=0)
        data = resolve_model_data_config(module)
        preprocess = Preprocess(
            size=int(data["input_size"][-1]),
            mean=tuple(data["mean"]),
            std=tuple(data["std"]),
            interpolation=data["interpolation"],
        )
        classifier = module.pretrained_cfg.get("classifier") or "head"
        names = (classifier,) if isinstance(classifier, str) else tuple(classifier)
        return ImageEncoder(module, preprocess, tuple(f"{name}." for name in names))
