"""What a run cost, as far as it wrote it down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from protoclip_cli.sharing.text_files import number
from protoclip_cli.store.lines import Row


@dataclass(frozen=True, slots=True)
class Cost:
    """Samples, time and memory. None: not known."""

    samples: int | None = None
    """Rows trained on, with repeats."""
    hours: float | None = None
    """In the phases of training: look, cluster, train. Those that a stop cut short are not in it."""
    samples_per_second: float | None = None
    """Samples over the time of all phases; of a run in its first episode the latest rate of steps."""
    peak_memory_bytes: int | None = None
    """Of the process or accelerator that used the most."""
    phases: Mapping[str, float] = field(default_factory=dict)
    """Seconds by phase."""


def cost_of(recipe: Row, status: Row, timings: Iterable[Row]) -> Cost:
    """The cost of a run.

    Args:
        recipe: the resolved one.
        status: where the run is.
        timings: rows of `timings.jsonl`.

    >>> rows = [{"step": 5, "phase": "train", "seconds": 2.0}]
    >>> cost_of({"batch": {"size": 8}}, {"step": 5}, rows).samples_per_second
    20.0
    """
    phases: dict[str, float] = {}
    timed_steps, rate, peak = 0, None, None
    for row in timings:
        seconds, memory = number(row.get("seconds")), number(row.get("peak_memory_bytes"))
        if seconds is not None and isinstance(row.get("phase"), str):
            phases[row["phase"]] = phases.get(row["phase"], 0.0) + seconds
            if row["phase"] == "train":
                timed_steps = int(number(row.get("step")) or timed_steps)
        rate = number(row.get("rows_per_second")) or rate
        peak = memory if peak is None or (memory or 0) > peak else peak
    batch, step = number(_inner(recipe, "batch", "size")), number(status.get("step"))
    seconds = sum(phases.values())
    if batch is not None and timed_steps and seconds:
        rate = batch * timed_steps / seconds
    return Cost(
        None if batch is None or step is None else int(batch * step),
        seconds / 3600 if phases else None,
        rate,
        None if peak is None else int(peak),
        phases,
    )


def _inner(tree: Any, *keys: str) -> Any:
    for key in keys:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree
