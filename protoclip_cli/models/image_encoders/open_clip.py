"""Image towers of open_clip's dual encoders, with their projections."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from protoclip_cli.core.types import Preprocess
from protoclip_cli.models.builders._open_clip_towers import OpenClipTowers
from protoclip_cli.models.builders.open_clip import OpenClipSpec
from protoclip_cli.models.image_encoders.base import ImageEncoder, ImageEncoderSpec


class OpenClipImageSpec(ImageEncoderSpec):
    """The image tower of an open_clip model."""

    kind: Literal["open_clip"] = "open_clip"
    pretrained: str | None = None
    """As `model.pretrained` of an open_clip model: a tag, a file or a folder. Left out: weights are left to
    chance, unless `name` is `local-dir:PATH`."""

    @property
    def from_chance(self) -> bool:
        """Whether it starts without any weights."""
        return self.pretrained is None and not self.name.startswith("local-dir:")

    def build(self) -> ImageEncoder:
        """See `ImageEncoderSpec`."""
        towers = OpenClipSpec(kind="open_clip", name=self.name, pretrained=self.pretrained).build()
        return replace(_visual(towers), notes=towers.notes)

    def bare(self) -> ImageEncoder:
        """See `ImageEncoderSpec`."""
        return _visual(OpenClipSpec(kind="open_clip", name=self.name).build())

    @classmethod
    def rebuild(cls, described: dict[str, Any], preprocess: Preprocess) -> ImageEncoder:
        """See `ImageEncoderSpec`."""
        return replace(_visual(OpenClipSpec.rebuild(described["config"])), preprocess=preprocess)


def _visual(towers: Any) -> ImageEncoder:
    assert isinstance(towers, OpenClipTowers)
    visual: Any = towers.clip.visual
    if hasattr(visual, "output_tokens"):
        visual.output_tokens = False  # CoCa's decoder reads them, which is not here
    described = {"kind": "open_clip", "config": towers.description.config}
    return ImageEncoder(visual, towers.preprocess, described)
