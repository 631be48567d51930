"""Models in the formats of other tools, one format a file."""

from protoclip_cli.core.catalog import Catalog
from protoclip_cli.sharing.export.base import ExportSpec

EXPORTS: Catalog[ExportSpec] = Catalog(__name__, ExportSpec)

__all__ = ["EXPORTS", "ExportSpec"]
