"""`logs/rank_<k>.log`: what each process had to say, the silent ones too."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protoclip_cli.core.reporter import Pace, Reporter


@dataclass(frozen=True, slots=True)
class RankLog:
    """A reporter that also writes notes and warnings to a file."""

    path: Path
    inner: Reporter

    def note(self, message: str) -> None:
        """Say something worth knowing."""
        self._write(message)
        self.inner.note(message)

    def warn(self, message: str) -> None:
        """Say something worth acting on."""
        self._write(f"warning: {message}")
        self.inner.warn(message)

    def pace(self, pace: Pace) -> None:
        """Show where training is. `metrics.jsonl` has it already."""
        self.inner.pace(pace)

    def progress(self, what: str, done: int, total: int, numbers: str = "") -> None:
        """Show how far work has come. Not for the log."""
        self.inner.progress(what, done, total, numbers)

    def scores(self, rows: list[dict[str, Any]]) -> None:
        """Show scores. `scores.jsonl` has them already."""
        self.inner.scores(rows)

    def _write(self, line: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")
