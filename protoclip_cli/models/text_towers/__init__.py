"""Text towers that can stand beside any image tower, one library a file."""

from protoclip_cli.core.catalog import Catalog
from protoclip_cli.models.text_towers.base import TextTowerSpec

TEXT_TOWERS: Catalog[TextTowerSpec] = Catalog(__name__, TextTowerSpec)

__all__ = ["TEXT_TOWERS", "TextTowerSpec"]
