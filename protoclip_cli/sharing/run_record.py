"""What is written about one run, read from its text files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.sharing.cost import Cost, cost_of
from protoclip_cli.sharing.score_series import ScoreKey, ScoreSeries, series_of
from protoclip_cli.sharing.text_files import read_mapping, read_rows
from protoclip_cli.store.lines import Lines, Row
from protoclip_cli.store.outcomes import outcomes_file, read_outcomes


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run."""

    path: Path
    label: str
    """Its folder's name, with as much of the path as tells it from the others."""
    recipe: Row = field(default_factory=dict)
    status: Row = field(default_factory=dict)
    origin: Row = field(default_factory=dict)
    """`run.json`: command, versions, platform."""
    scores: Mapping[ScoreKey, ScoreSeries] = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)
    events: Mapping[str, int] = field(default_factory=dict)
    """How many there were of each kind."""
    problems: tuple[str, ...] = ()
    """What could not be read."""

    @property
    def seed(self) -> int | None:
        """The seed of training, None where the recipe does not say it."""
        seed = self.recipe.get("seed")
        return seed if isinstance(seed, int) else None

    def outcomes(self, key: ScoreKey) -> NDArray[np.float64] | None:
        """What the last value of a score found for each example (n,), if it was kept."""
        identity = self.scores[key].identity
        return None if identity is None else read_outcomes(outcomes_file(self.path, identity))

    @property
    def state(self) -> str:
        """How the run is, in its own word."""
        return str(self.status.get("state", "unknown"))


def read_run(path: Path, label: str) -> RunRecord:
    """Read a run. What cannot be read is left out and named in `problems`.

    Args:
        path: its folder.
        label: what to call it.
    """
    mappings = [read_mapping(path / name) for name in ("recipe.yaml", "status.json", "run.json")]
    (recipe, status, origin), wrong = zip(*mappings, strict=True)
    files = {name: read_rows(path / name) for name in ("scores.jsonl", "timings.jsonl", "events.jsonl")}
    scores, unusable = series_of(files["scores.jsonl"].rows)
    cost = cost_of(recipe, status, files["timings.jsonl"].rows)
    problems = [problem for problem in wrong if problem]
    problems += _bad_lines(files)
    if unusable:
        problems.append(f"scores.jsonl: {unusable} rows are no scores or hold no finite value")
    events = Counter(str(row.get("event", "unnamed")) for row in files["events.jsonl"].rows)
    return RunRecord(
        path=path,
        label=label,
        recipe=recipe,
        status=status,
        origin=origin,
        scores=scores,
        cost=cost,
        events=dict(sorted(events.items())),
        problems=tuple(problems),
    )


def _bad_lines(files: Mapping[str, Lines]) -> Iterable[str]:
    return [f"{name}: {lines.bad} lines are not JSON" for name, lines in files.items() if lines.bad]


def labels_of(paths: Iterable[Path]) -> list[str]:
    """Names of run folders, with as many of their parents as tell them apart.

    >>> labels_of([Path("x/a"), Path("y/a"), Path("y/b")])
    ['x/a', 'y/a', 'b']
    """
    parts = [path.resolve().parts if str(path) in {"", "."} else path.parts for path in paths]
    depth = dict.fromkeys(parts, 1)
    while True:
        labels = {one: "/".join(one[-depth[one] :]) for one in parts}
        count = Counter(labels.values())
        again: list[Any] = [one for one in depth if count[labels[one]] > 1 and depth[one] < len(one)]
        if not again:
            return [labels[one] for one in parts]
        for one in again:
            depth[one] += 1
