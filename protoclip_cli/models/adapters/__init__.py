"""Small modules put into a frozen tower, which alone learn; one kind a file. All are peft's."""

from protoclip_cli.core.catalog import Catalog
from protoclip_cli.models.adapters.base import AdapterSpec

ADAPTERS: Catalog[AdapterSpec] = Catalog(__name__, AdapterSpec, default="lora")

__all__ = ["ADAPTERS", "AdapterSpec"]
