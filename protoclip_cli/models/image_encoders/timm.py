"""Image encoders of timm."""

from __future__ import annotations

from typing import Any, Literal

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.types import Preprocess
from protoclip_cli.models.image_encoders.base import (
    ImageEncoder,
    ImageEncoderSpec,
    Sized,
    no_weights,
    unknown,
)


class TimmSpec(Sized, ImageEncoderSpec):
    """An image encoder of timm, pooled, without its classifier."""

    kind: Literal["timm"] = "timm"

    def bare(self) -> ImageEncoder:
        """See `ImageEncoderSpec`.

        Images are resized to the encoder's size and cropped at the centre; timm's `crop_pct` is not used.
        """
        return self._make(self.name, weights=False)

    def published(self, tag: str) -> ImageEncoder:
        """See `ImageEncoderSpec`; a tag is what timm writes behind the point of a name."""
        import timm

        architecture = self.name.partition(".")[0]
        self._check()
        tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{architecture}*")]
        if f"{architecture}.{tag}" not in timm.list_pretrained(f"{architecture}.*"):
            raise no_weights(self, tag, tuple(tags))
        try:
            return self._make(f"{architecture}.{tag}", weights=True)
        except (OSError, RuntimeError) as error:
            raise RecipeError(
                f"timm's weights {architecture}.{tag} cannot be had: {error}", hint="is there a network?"
            ) from None

    def _check(self) -> None:
        import timm

        if not timm.is_model(self.name):
            raise unknown("timm", self.name, timm.list_models(), "timm.list_models()")

    def _make(self, name: str, *, weights: bool) -> ImageEncoder:
        import timm
        from timm.data import resolve_model_data_config

        self._check()
        fixed = self.size is not None and timm.get_pretrained_cfg_value(name, "fixed_input_size")
        settings = {"img_size": self.size} if fixed else {}
        module: Any = timm.create_model(name, pretrained=weights, num_classes=0, **settings)
        data = resolve_model_data_config(module)
        preprocess = Preprocess(
            size=int(data["input_size"][-1]),
            mean=tuple(data["mean"]),
            std=tuple(data["std"]),
            interpolation=data["interpolation"],
        )
        return ImageEncoder(module, self.sized(preprocess), self.plain())
