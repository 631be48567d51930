"""Optimisers, one kind a file."""

from protoclip_cli.core.catalog import Catalog
from protoclip_cli.optimization.optimizers.base import OptimizerSpec

OPTIMIZERS: Catalog[OptimizerSpec] = Catalog(__name__, OptimizerSpec, default="adamw")

__all__ = ["OPTIMIZERS", "OptimizerSpec"]
