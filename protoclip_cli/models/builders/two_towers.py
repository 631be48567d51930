"""An image tower and a text tower of any two libraries, with a projection each into a shared space."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from pydantic import Field, model_validator

from protoclip_cli.core.types import Preprocess
from protoclip_cli.models.builders._two_towers import TwoTowers
from protoclip_cli.models.builders.base import ModelSpec
from protoclip_cli.models.image_encoders import IMAGE_ENCODERS
from protoclip_cli.models.text_towers import TEXT_TOWERS
from protoclip_cli.models.towers import Description

AnyImageTower: Any = IMAGE_ENCODERS.any
AnyTextTower: Any = TEXT_TOWERS.any


class TwoTowersSpec(ModelSpec):
    """Towers chosen one by one. `kind` may be left out where `image` and `text` are given."""

    kind: Literal["two_towers"]
    image: AnyImageTower
    """The image tower."""
    text: AnyTextTower
    """The text tower."""
    dim: int | None = Field(512, gt=0)
    """Width of the shared space, into which a linear map of each tower leads. It starts from chance, belongs
    to the tower, and is the last of its groups of layers. Null: no map; both towers must be equally wide."""

    @model_validator(mode="after")
    def _vocabulary_fits(self) -> TwoTowersSpec:
        if self.vocabulary == "used" and not self.text.can_use_vocabulary:
            raise ValueError(
                "vocabulary: used needs a text tower with open_clip's own token table, not one of "
                f"{self.text.kind}; set vocabulary: full"
            )
        return self

    def build(self) -> TwoTowers:
        """Make the towers."""
        image, text = self.image.build(), self.text.build()
        towers = TwoTowers(image, text, self.dim, _described(image, text, self.dim))
        towers.notes = (*image.notes, *text.notes)
        return towers

    @staticmethod
    def rebuild(config: dict[str, Any]) -> TwoTowers:
        """Make the towers of a description."""
        kept = config["preprocess"]
        colours: dict[str, Any] = {key: tuple(kept[key]) for key in ("mean", "std")}
        image = IMAGE_ENCODERS.spec(config["image"]["kind"]).rebuild(
            config["image"], Preprocess(**(kept | colours))
        )
        text = TEXT_TOWERS.spec(config["text"]["kind"]).rebuild(config["text"])
        return TwoTowers(image, text, config["dim"], _described(image, text, config["dim"]))


def _described(image: Any, text: Any, dim: int | None) -> Description:
    parts = {"image": image.described, "text": text.described, "dim": dim}
    return Description("two_towers", {**parts, "preprocess": asdict(image.preprocess)})
