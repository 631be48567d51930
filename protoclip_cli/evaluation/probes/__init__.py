"""Probes: ways to ask what a model can do, one a file."""

from __future__ import annotations

from protoclip_cli.core.catalog import Catalog
from protoclip_cli.evaluation.probes.base import ProbeSpec

PROBES = Catalog("protoclip_cli.evaluation.probes", ProbeSpec)


def usual() -> list[str]:
    """The kinds that run where nobody names any."""
    return [kind for kind in PROBES.kinds() if PROBES.spec(kind).usual]
