"""Where running jobs are, from the ends of their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from protoclip_cli.sharing.cost import cost_of
from protoclip_cli.sharing.find_runs import find_runs
from protoclip_cli.sharing.run_record import labels_of
from protoclip_cli.sharing.text_files import last_row, number, read_mapping, read_rows
from protoclip_cli.store.lines import Row

_ALIVE = frozenset({"running", "unknown"})
Rates = tuple[float | None, float | None]
"""Samples per second, and per step."""
_FILES = ("status.json", "metrics.jsonl", "timings.jsonl")


@dataclass(frozen=True, slots=True)
class LiveRun:
    """One run at one moment."""

    label: str
    state: str
    phase: str
    episode: int | None
    step: int
    steps: int | None
    samples_per_second: float | None
    """Over all phases so far."""
    seconds_left: float | None
    metrics: Row
    """The last line of `metrics.jsonl`."""
    silent: float
    """Seconds since the run last wrote something: one that was killed says `running` for ever."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state not in _ALIVE


@dataclass(slots=True)
class Lookout:
    """Looks at runs again and again; those that begin meanwhile are seen too."""

    names: Sequence[str]
    _recipes: dict[Path, Row] = field(default_factory=dict)
    _ended: dict[Path, tuple[float, LiveRun]] = field(default_factory=dict)

    def look(self, now: float) -> list[LiveRun]:
        """All runs, those that still run first.

        Args:
            now: seconds since the epoch.

        Raises:
            DataError: a name stands for no run.
        """
        paths = find_runs(self.names)
        runs = [self._look(path, label, now) for path, label in zip(paths, labels_of(paths), strict=True)]
        return sorted(runs, key=lambda run: run.ended)

    def _look(self, path: Path, label: str, now: float) -> LiveRun:
        changed = max(map(_changed, [path / name for name in _FILES]))
        before = self._ended.get(path)
        if before is not None and before[0] == changed:
            return before[1]
        if path not in self._recipes:
            self._recipes[path] = read_mapping(path / "recipe.yaml")[0]
        status = read_mapping(path / "status.json")[0]
        rates = _rates(self._recipes[path], status, path)
        run = _live(label, status, rates, last_row(path / "metrics.jsonl"), now - changed)
        if run.ended:
            self._ended[path] = changed, run
        return run


def _rates(recipe: Row, status: Row, path: Path) -> Rates:
    rate = cost_of(recipe, status, read_rows(path / "timings.jsonl").rows).samples_per_second
    batch = recipe.get("batch")
    return rate, number(batch.get("size")) if isinstance(batch, dict) else None


def _live(label: str, status: Row, rates: Rates, metrics: Row, silent: float) -> LiveRun:
    rate, batch = rates
    step = int(max(number(status.get("step")) or 0, number(metrics.get("step")) or 0))
    steps, episode = number(status.get("steps")), number(status.get("episode"))
    left = None if not (rate and batch and steps) else max(0.0, steps - step) * batch / rate
    return LiveRun(
        label=label,
        state=str(status.get("state", "unknown")),
        phase=str(status.get("phase", "")),
        episode=None if episode is None else int(episode),
        step=step,
        steps=None if steps is None else int(steps),
        samples_per_second=rate,
        seconds_left=left,
        metrics=metrics,
        silent=max(0.0, silent),
    )


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
