"""What a picture is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from protoclip_cli.core.spec import Spec
from protoclip_cli.drawing.scene import Material, Scene

Drawn = tuple[str, Any]
"""The name of a file without ending, and a figure of matplotlib."""


class PictureSpec(Spec, ABC):
    """A kind of picture, and how a recipe names it. The first line of its docstring is what lists say."""

    kind: str

    made_of: ClassVar[frozenset[Material]]
    usual: ClassVar[bool] = True
    """Whether it is drawn where nobody names pictures. Not if it takes more than a run."""

    def refuses(self, scene: Scene) -> str | None:
        """Why it cannot be drawn, as the end of a sentence. None: it can."""
        return next(filter(None, (scene.lacks(material) for material in sorted(self.made_of))), None)

    @abstractmethod
    def draw(self, scene: Scene) -> Iterator[Drawn]:
        """Draw what is not refused: one figure, or several."""

    @classmethod
    def summary(cls) -> str:
        """What it shows, in one line."""
        return (cls.__doc__ or "").strip().partition("\n")[0]
