"""The one way workflows speak: to a terminal, to a log, or to nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Pace:
    """Where a training run is."""

    step: int
    steps: int
    episode: int
    episodes: int
    phase: str
    samples_per_second: float
    metrics: Mapping[str, float | None]
    chance: float
    """ln(batch): the loss of a model that knows nothing."""


class Reporter(Protocol):
    """What a workflow tells while it runs."""

    def note(self, message: str) -> None:
        """Say something worth knowing."""

    def warn(self, message: str) -> None:
        """Say something worth acting on."""

    def pace(self, pace: Pace) -> None:
        """Show where training is."""

    def progress(self, what: str, done: int, total: int, numbers: str = "") -> None:
        """Show how far work that is not training has come; `numbers` is what else is worth a glance."""

    def scores(self, rows: list[dict[str, Any]]) -> None:
        """Show scores as they come in."""


class Silent:
    """Says nothing: for notebooks, tests and processes other than the first."""

    def note(self, message: str) -> None:
        """Say nothing."""

    def warn(self, message: str) -> None:
        """Say nothing."""

    def pace(self, pace: Pace) -> None:
        """Say nothing."""

    def progress(self, what: str, done: int, total: int, numbers: str = "") -> None:
        """Say nothing."""

    def scores(self, rows: list[dict[str, Any]]) -> None:
        """Say nothing."""
