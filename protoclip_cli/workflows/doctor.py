"""`protoclip doctor`: what of this machine will stop or slow work, before it does."""

from __future__ import annotations

from protoclip_cli.workflows.checks.accelerator import accelerator
from protoclip_cli.workflows.checks.base import Finding
from protoclip_cli.workflows.checks.caches import caches
from protoclip_cli.workflows.checks.machine import cores, disks, shared_memory
from protoclip_cli.workflows.checks.packages import packages

_CHECKS = (packages, accelerator, cores, shared_memory, disks, caches)
_ORDER = ("problem", "note", "ok")


def doctor() -> list[Finding]:
    """All findings: problems first, then notes, then what is well."""
    found = [finding for check in _CHECKS for finding in check()]
    return sorted(found, key=lambda finding: _ORDER.index(finding.state))
