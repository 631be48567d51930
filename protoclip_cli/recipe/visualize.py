"""What to draw: in a train recipe, and of `protoclip visualize`."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from protoclip_cli.core.spec import Spec
from protoclip_cli.drawing.pictures import PICTURES, usual
from protoclip_cli.drawing.pictures.base import PictureSpec

AnyPicture: Any = PICTURES.any


class VisualizeSpec(Spec):
    """What to draw while training, and how often. Drawing never stops a run."""

    every: int | None = Field(None, gt=0)
    """Draw after every so many episodes, into figures/episode_N/. Empty: never."""
    show: list[AnyPicture] | None = None
    """Pictures: kinds, or mappings with a `kind`. Empty: all that need no more than a run."""
    rows: int = Field(1000, ge=2)
    """At most so many pairs, of `validation` if there is one, else of `pairs`."""

    @field_validator("show", mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return [{"kind": one} if isinstance(one, str) else one for one in value]

    @property
    def pictures(self) -> list[PictureSpec]:
        """What is drawn."""
        if self.show is not None:
            return list(self.show)
        return [PICTURES.spec(kind).model_validate({"kind": kind}) for kind in usual()]

    def due(self, episode: int) -> bool:
        """Whether pictures are drawn after an episode."""
        return self.every is not None and (episode + 1) % self.every == 0


class PicturesByName(Spec):
    """Pictures with overrides, as the command line names them."""

    pictures: dict[str, AnyPicture]
    """By kind."""
