"""Pictures, one kind a file."""

from __future__ import annotations

from protoclip_cli.core.catalog import Catalog
from protoclip_cli.drawing.pictures.base import PictureSpec

PICTURES = Catalog("protoclip_cli.drawing.pictures", PictureSpec)


def usual() -> list[str]:
    """The kinds that are drawn where nobody names any."""
    return [kind for kind in PICTURES.kinds() if PICTURES.spec(kind).usual]
