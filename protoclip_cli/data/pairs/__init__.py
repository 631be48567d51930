"""Where image-text pairs come from, one kind a file."""

from protoclip_cli.core.catalog import Catalog
from protoclip_cli.data.pairs.base import PairSource, PairSpec

PAIRS: Catalog[PairSpec] = Catalog(__name__, PairSpec)

__all__ = ["PAIRS", "PairSource", "PairSpec"]
