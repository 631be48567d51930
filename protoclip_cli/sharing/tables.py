"""The tables of a comparison, ready for any format: titles, cells, and what to sort cells by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from protoclip_cli.sharing import numbers
from protoclip_cli.sharing.comparison import Comparison, Estimate, Line
from protoclip_cli.sharing.grouping import Group
from protoclip_cli.sharing.recipe_difference import differing
from protoclip_cli.sharing.run_record import RunRecord

_COLUMNS = 6
"""More groups than these do not fit beside each other: they become the rows."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell."""

    text: str
    order: float | None = None
    """What a table is sorted by; None: by its text, or empty cells last."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    names: int
    """How many columns at the left hold words; the others hold numbers."""
    note: str = ""


def tables(comparison: Comparison) -> list[Table]:
    """What there is to show: scores, averages, best scores, cost, runs, and what the recipes differ in."""
    final = "Percent, final step; ± is half of the 95 % interval over seeds."
    if comparison.baseline is not None:
        final += (
            f" Differences are to {comparison.baseline.name}, paired by seed, with the p-value of a paired "
            "t-test for this row alone: of twenty rows without any effect one has p < 0.05."
        )
    best = "The best step of each run, chosen by these very scores: they flatter."
    lines = [(line, False) for line in comparison.lines]
    means = [(line, False) for line in comparison.averages]
    several = [(line, True) for line in comparison.lines if line.best]
    found = [
        _of_scores("Scores", comparison, lines, final),
        _of_scores("Averages", comparison, means, _common(comparison)),
        _of_scores("Best scores", comparison, several, best),
        _of_cost(comparison.groups),
        _of_recipes(comparison.groups),
        _of_runs(comparison.runs),
    ]
    return [table for table in found if table.rows]


def _common(comparison: Comparison) -> str:
    unscored = sum(not run.scores for run in comparison.runs)
    without = f", {unscored} without any scores left out" if unscored else ""
    return f"Only over benchmarks that all runs have{without}; the number stands in each row."


def _of_scores(title: str, comparison: Comparison, lines: Sequence[tuple[Line, bool]], note: str) -> Table:
    """Groups are columns while they fit, else rows."""
    groups = comparison.groups
    heads = [_head(group) for group in groups]
    compared = [g for g in groups if any(g.name in line.differences for line, best in lines if not best)]
    titles = [*heads, *(f"{group.name}, difference" for group in compared)]
    rows = []
    for line, best in lines:
        found = line.best if best else line.final
        cells = [_estimate(line, found.get(group.name)) for group in groups]
        rows.append((*cells, *(_difference(line, group) for group in compared)))
    names = [_named(line) for line, _ in lines]
    if len(groups) <= _COLUMNS:
        columns = ("probe", "benchmark", "metric", *titles)
        return Table(title, columns, tuple((*n, *r) for n, r in zip(names, rows, strict=True)), 3, note)
    columns = ("group", *(" ".join(cell.text for cell in name) for name in names))
    turned = [(Cell(name), *cells) for name, *cells in zip(titles, *rows, strict=True)] if rows else []
    return Table(title, columns, tuple(turned), 1, note)


def _head(group: Group) -> str:
    return group.name if group.seeds == 1 else f"{group.name} ({group.seeds} seeds)"


def _named(line: Line) -> tuple[Cell, Cell, Cell]:
    key = line.key
    chosen = "" if key.selection in {"none", ""} else f" (selected on {key.selection})"
    return Cell(key.probe), Cell(f"{key.benchmark}"), Cell(f"{key.metric}{chosen}")


def _estimate(line: Line, found: Estimate | None) -> Cell:
    return Cell(numbers.estimate(found, line.key), None if found is None else found.mean)


def _difference(line: Line, group: Group) -> Cell:
    found = line.differences.get(group.name)
    return Cell(numbers.difference(found, line.key), None if found is None else found.mean)


def _of_cost(groups: Sequence[Group]) -> Table:
    """Means over the runs of a group that know the number."""
    kinds: list[tuple[str, Callable[[RunRecord], float | None], Callable[[float | None], str]]] = [
        ("samples", lambda run: run.cost.samples, numbers.count),
        ("time", lambda run: run.cost.hours, numbers.hours),
        ("samples/s", lambda run: run.cost.samples_per_second, numbers.count),
        ("peak memory", lambda run: run.cost.peak_memory_bytes, numbers.size),
    ]
    rows = []
    for group in groups:
        cells = [Cell(group.name), *(Cell(str(n), n) for n in (len(group.runs), group.seeds))]
        for _, pick, shown in kinds:
            known = [number for run in group.runs if (number := pick(run)) is not None]
            mean = fmean(known) if known else None
            cells.append(Cell(shown(mean), mean))
        rows.append(tuple(cells))
    columns = ("group", "runs", "seeds", *(title for title, _, _ in kinds))
    note = "Means over runs. Time is that of training's phases; empty: not recorded."
    return Table("Cost", columns, tuple(rows), 1, note)


def _of_recipes(groups: Sequence[Group]) -> Table:
    """A row a key that differs, a column a group; turned when the groups are many."""
    found = differing([group.runs[0].recipe for group in groups])
    names = [group.name for group in groups]
    rows = [[key, *("-" if v is None else numbers.short(v) for v in values)] for key, values in found.items()]
    note = "Only keys that differ; -: the recipe has no such key."
    if len(groups) > _COLUMNS and rows:
        columns = ["group", *found]
        rows = [list(line) for line in zip(names, *(row[1:] for row in rows), strict=True)]
    else:
        columns = ["key", *names]
    cells = tuple(tuple(map(Cell, row)) for row in rows)
    return Table("Recipe differences", tuple(columns), cells, len(columns), note)


def _of_runs(runs: Sequence[RunRecord]) -> Table:
    rows = []
    for run in runs:
        step, steps = run.status.get("step"), run.status.get("steps")
        words = [run.label, "" if run.seed is None else str(run.seed), run.state]
        place = "" if step is None else f"{step} of {steps}"
        found = [numbers.counts(run.events), "" if run.scores else "no scores", *run.problems]
        remarks = "; ".join(filter(None, found))
        rows.append(tuple(Cell(numbers.short(word)) for word in [*words, place, remarks]))
    return Table("Runs", ("run", "seed", "state", "step", "remarks"), tuple(rows), 5)
