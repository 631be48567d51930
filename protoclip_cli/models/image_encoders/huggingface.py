"""Image encoders of Hugging Face transformers."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import Field, model_validator
from torch import Tensor, nn

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.types import Preprocess
from protoclip_cli.models.from_transformers import load_model, model_of, preprocess_file
from protoclip_cli.models.image_encoders.base import ImageEncoder, ImageEncoderSpec, Sized

Pooling = Literal["cls", "mean", "pooler"]
_RESAMPLE = {2: "bilinear", 3: "bicubic"}
_HALF = (0.5, 0.5, 0.5)


class PooledImages(nn.Module):
    """A vision model whose patch features become one of the image."""

    def __init__(self, model: Any, pooling: Pooling) -> None:
        """Keep the vision side of a model of transformers."""
        super().__init__()
        self.model = getattr(model, "vision_model", model)
        self.pooling = pooling

    def forward(self, pixels: Tensor) -> Tensor:
        """Embed images: (b, 3, H, W), normalised, to (b, D)."""
        found = self.model(pixel_values=pixels)
        if self.pooling == "pooler":
            if getattr(found, "pooler_output", None) is None:
                raise ValueError("it has no pooler; use pooling: cls or mean")
            return found.pooler_output.flatten(1)  # type: ignore[no-any-return]
        states: Tensor = found.last_hidden_state
        if states.ndim == 4:  # of a convolutional network
            if self.pooling == "cls":
                raise ValueError("it has no class token; use pooling: mean or pooler")
            return states.mean(dim=(2, 3))
        return states[:, 0] if self.pooling == "cls" else states.mean(dim=1)


class HuggingFaceImageSpec(Sized, ImageEncoderSpec):
    """A vision encoder of transformers, from the hub or a folder."""

    kind: Literal["huggingface"] = "huggingface"
    name: str = Field(min_length=1)
    """A name on the hub, or a folder. It brings weights, unless `architecture_only`."""
    revision: str | None = None
    """Which version of it: a branch, tag or commit of the hub."""
    architecture_only: bool = False
    """Leave the weights to chance."""
    pretrained: str | None = None
    """A file of other weights, with `architecture_only`."""
    pooling: Pooling = "pooler"
    """From features of patches to one: that of the class token, the mean of all, or the model's own way."""

    @property
    def from_chance(self) -> bool:
        """Whether it starts without any weights."""
        return self.architecture_only and self.pretrained is None

    @model_validator(mode="after")
    def _one_source(self) -> HuggingFaceImageSpec:
        if self.pretrained is not None and not self.architecture_only:
            raise ValueError(
                f"{self.name} brings weights, and pretrained names others; set architecture_only: true"
            )
        return self

    def bare(self) -> ImageEncoder:
        """See `ImageEncoderSpec`. Code that comes with a model is never run."""
        changes = {} if self.size is None or not self.architecture_only else {"image_size": self.size}
        model, notes = load_model(
            self.name, self.revision, weights=not self.architecture_only, changes=changes
        )
        preprocess, unsaid = self._preprocess(model)
        described = {
            "kind": "huggingface",
            "name": self.name,
            "pooling": self.pooling,
            "config": json.loads(model.config.to_json_string(use_diff=False)),
        }
        return ImageEncoder(PooledImages(model, self.pooling), preprocess, described, (*notes, *unsaid))

    def _preprocess(self, model: Any) -> tuple[Preprocess, tuple[str, ...]]:
        fields = preprocess_file(self.name, self.revision)
        config = getattr(model.config, "vision_config", model.config)
        size = self.size or _side(fields) or _side({"size": getattr(config, "image_size", None)})
        if size is None:
            raise RecipeError(
                f"{self.name} does not say how large its images are", hint="give the image tower a `size`"
            )
        mean, std = (tuple(fields.get(f"image_{key}") or _HALF) for key in ("mean", "std"))
        cut = fields.get("do_center_crop") or "crop_size" in fields or not fields
        interpolation = _RESAMPLE.get(fields.get("resample", 2), "bicubic")
        preprocess = Preprocess(size, mean, std, interpolation, "shortest" if cut else "squash")
        said = "image_mean" in fields
        notes = () if said else (f"{self.name} does not say the mean of its pixels, and 0.5 is taken",)
        return preprocess, notes

    @classmethod
    def rebuild(cls, described: dict[str, Any], preprocess: Preprocess) -> ImageEncoder:
        """See `ImageEncoderSpec`."""
        module = PooledImages(model_of(described["config"]), described["pooling"])
        return ImageEncoder(module, preprocess, described)


def _side(fields: dict[str, Any]) -> int | None:
    """The side of images in a file of preprocessing."""
    found = fields.get("crop_size") or fields.get("size")
    if isinstance(found, dict):
        found = found.get("height") or found.get("shortest_edge")
    if isinstance(found, list | tuple):
        found = found[0]
    return None if found is None else int(found)
