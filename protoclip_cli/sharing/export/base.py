"""What all formats have in common."""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from PIL.Image import Image
from torch import Tensor

from protoclip_cli.core.errors import MissingExtra
from protoclip_cli.core.spec import Spec
from protoclip_cli.models.dual_encoder import DualEncoder


@dataclass(frozen=True, slots=True)
class Reader:
    """An exported model as its own library reads it, with that library's preprocessing and tokenizer."""

    images: Callable[[Sequence[Image]], Tensor]
    """Embeds square images of the model's size: n of them to (n, D), any length."""
    texts: Callable[[Sequence[str]], Tensor] | None = None
    """Embeds texts: n of them to (n, D), any length. None: the format has no text tower."""


class ExportSpec(Spec, ABC):
    """A format."""

    kind: str
    library: ClassVar[str]
    """Who reads it, as the hub calls it."""
    packages: ClassVar[tuple[str, ...]] = ()
    """What must be installed to write and check it, besides what protoclip needs anyway."""
    extra: ClassVar[str] = ""
    """The extra that brings them."""

    def require(self) -> None:
        """Complain of packages that are not installed.

        Raises:
            MissingExtra: one is not.
        """
        missing = [name for name in self.packages if importlib.util.find_spec(name) is None]
        if missing:
            raise MissingExtra(
                f"exporting to {self.kind} needs {', '.join(missing)}",
                hint=f"pip install 'protoclip[{self.extra}]'",
            )

    @abstractmethod
    def refusal(self, model: DualEncoder) -> str | None:
        """Why the format cannot hold a model, as the rest of a sentence; None: it can."""

    @abstractmethod
    def write(self, model: DualEncoder, folder: Path) -> list[str]:
        """Write the model's files.

        Args:
            model: in evaluation mode, on the CPU, and not refused.
            folder: an empty one.

        Returns:
            What the user should know, a sentence each.
        """

    @abstractmethod
    def read(self, model: DualEncoder, folder: Path) -> Reader:
        """Read what was written, as others will.

        Args:
            model: for what the format leaves to its user.
            folder: that was written.
        """

    @abstractmethod
    def usage(self, place: str) -> str:
        """Python that loads the model from a place."""


def model_cfg(model: DualEncoder) -> dict[str, Any] | None:
    """The architecture in open_clip's words; None for a model that is not of open_clip."""
    description = model.towers.description
    return dict(description.config["model_cfg"]) if description.builder == "open_clip" else None
