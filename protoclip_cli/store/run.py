"""The run folder: where a run keeps everything it makes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protoclip_cli.core.errors import UsageError
from protoclip_cli.store.files import disk_errors, read_json, write_json
from protoclip_cli.store.lines import Row, append_lines, keep_lines

_UNSAFE = re.compile(r"[^\w.+=@,-]+", re.UNICODE)


def safe_name(name: str) -> str:
    """A folder name for a run of any name.

    >>> safe_name("tea[glove]_stu[RN50] 50%"), safe_name("../x"), safe_name("...")
    ('tea_glove_stu_RN50_50', 'x', 'run')
    """
    return re.sub(r"_{2,}", "_", _UNSAFE.sub("_", name)).strip("._") or "run"


def _is_content(path: Path, run: Path) -> bool:
    """Whether a path is more than what a crash at the very start of a run, or a waiting job, leaves."""
    logs = path.relative_to(run).parts[0] == "logs"
    return not path.is_dir() and path.name != ".recipe.yaml.tmp" and not logs


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths and files of one run."""

    path: Path

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.path / "recipe.yaml"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def scores(self) -> Path:
        """All scores, a row each."""
        return self.path / "scores.jsonl"

    @property
    def metrics(self) -> Path:
        """What each step measured."""
        return self.path / "metrics.jsonl"

    @property
    def timings(self) -> Path:
        """How long things took."""
        return self.path / "timings.jsonl"

    @property
    def events(self) -> Path:
        """Bad images, warnings, stops."""
        return self.path / "events.jsonl"

    @property
    def status(self) -> Path:
        """Where the run is and how it ended."""
        return self.path / "status.json"

    @property
    def exists(self) -> bool:
        """Whether a run lives here."""
        return self.recipe.is_file()

    def create(self) -> None:
        """Make the folder.

        Raises:
            UsageError: something else is there.
        """
        if self.path.exists() and not self.path.is_dir():
            raise UsageError(f"{self.path} is a file", hint="choose another folder with --run")
        if (
            not self.exists
            and self.path.is_dir()
            and any(_is_content(path, self.path) for path in self.path.rglob("*"))
        ):
            raise UsageError(
                f"{self.path} has files in it but no recipe.yaml, so it is not a run",
                hint="choose another folder with --run",
            )
        with disk_errors(f"making {self.path}"):
            for folder in (self.checkpoints, self.path / "logs"):
                folder.mkdir(parents=True, exist_ok=True)

    def write_status(self, **fields: Any) -> None:
        """Say where the run is, for those who look from outside."""
        write_json(self.status, fields)

    def read_status(self) -> dict[str, Any]:
        """Where the run is, or nothing if it never said."""
        return dict(read_json(self.status)) if self.status.is_file() else {}

    def add_event(self, kind: str, **fields: Any) -> None:
        """Append to `events.jsonl`."""
        append_lines(self.events, [{"event": kind, **fields}])

    def cut_back(self, step: int, *, evaluated: bool) -> None:
        """Forget what happened after a step.

        Args:
            step: optimiser steps done.
            evaluated: whether what was evaluated at that very step stays.
        """

        def until(row: Row) -> bool:
            return int(row.get("step") or 0) <= step

        for path in (self.metrics, self.timings, self.events):
            keep_lines(path, until)
        keep_lines(self.scores, until if evaluated else lambda row: int(row.get("step") or 0) < step)
