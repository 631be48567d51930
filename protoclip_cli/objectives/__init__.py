"""Floor 2: the terms of the training loss, one kind a file."""

from protoclip_cli.core.catalog import Catalog
from protoclip_cli.objectives.base import Objective, ObjectiveSpec

OBJECTIVES: Catalog[ObjectiveSpec] = Catalog(__name__, ObjectiveSpec)

__all__ = ["OBJECTIVES", "Objective", "ObjectiveSpec"]
