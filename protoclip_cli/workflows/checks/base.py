"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is so."""

    area: str
    says: str
    """One sentence."""
    fix: str | None = None
    """What to do. Problems have one."""
    state: Literal["problem", "note", "ok"] = "ok"
    """A problem will stop or spoil work; a note may matter to some."""


def ok(area: str, says: str) -> Finding:
    """As it should be."""
    return Finding(area, says)


def note(area: str, says: str, fix: str | None = None) -> Finding:
    """Worth knowing."""
    return Finding(area, says, fix, "note")


def problem(area: str, says: str, fix: str) -> Finding:
    """Worth acting on."""
    return Finding(area, says, fix, "problem")


def size(count: int) -> str:
    """Bytes as people read them.

    >>> size(67_108_864), size(139 * 10**9)
    ('67 MB', '139.0 GB')
    """
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"
