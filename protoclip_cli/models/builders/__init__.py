"""Who builds the towers, one library a file."""

from protoclip_cli.core.catalog import Catalog
from protoclip_cli.models.builders.base import ModelSpec

BUILDERS: Catalog[ModelSpec] = Catalog(__name__, ModelSpec, default="open_clip")

__all__ = ["BUILDERS", "ModelSpec"]
