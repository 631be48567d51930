"""Projections of an embedding that clustering, objectives or evaluation read, one kind a file."""

from protoclip_cli.core.catalog import Catalog
from protoclip_cli.models.heads.base import HeadSpec

HEADS: Catalog[HeadSpec] = Catalog(__name__, HeadSpec, default="mlp")

__all__ = ["HEADS", "HeadSpec"]
