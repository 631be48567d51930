"""How `protoclip summarize` shows what it found: tables on stdout, the live view on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table as RichTable
from rich.text import Text

from protoclip_cli.cli.ending import printable
from protoclip_cli.cli.screen import print_result
from protoclip_cli.sharing.comparison import Comparison
from protoclip_cli.sharing.formats import as_csv, as_json, as_latex, as_markdown
from protoclip_cli.sharing.live import LiveRun
from protoclip_cli.sharing.numbers import count, hours, short
from protoclip_cli.sharing.tables import Table, tables

_UNLIMITED = 100_000
_LONGEST = 48
_PLAIN_SECONDS = 10.0
_SILENT_SECONDS = 120.0
_LIVE = ("run", "state", "step", "loss", "samples/s", "left")


def show_result(found: Comparison, form: str) -> None:
    """Print a comparison on stdout.

    Args:
        found: what to print.
        form: `table`, `csv`, `markdown`, `latex` or `json`.
    """
    if form == "csv":
        sys.stdout.write(as_csv(found))
    elif form == "json":
        print_result(as_json(found))
    else:
        shown = [table for table in tables(found) if table.title != "Runs"]
        if form == "table":
            _show_tables(shown)
        else:
            print_result(as_latex(shown) if form == "latex" else as_markdown(shown))


def show_plan(found: Comparison, paths: Sequence[Path]) -> None:
    """Print what would be compared and written."""
    for group in found.groups:
        print_result(printable(f"{group.name}: {', '.join(run.label for run in group.runs)}"))
    for path in paths:
        print_result(f"would write {path}")


def _show_tables(shown: Sequence[Table]) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = _UNLIMITED
    for table in shown:
        kept, left_out = _fitting(table, console.width)
        grid = RichTable(title=table.title, title_justify="left", title_style="bold", header_style="bold")
        for place in kept:
            words = place < table.names
            title = Text(_cell(table.columns[place]))
            grid.add_column(title, justify="left" if words else "right", no_wrap=not words)
        for row in table.rows:
            grid.add_row(*(Text(_cell(row[place].text)) for place in kept))
        console.print(grid)
        if left_out:
            console.print(f"{left_out} more columns do not fit; choose with --scores, or see --format csv")
        if table.note:
            console.print(Text(printable(table.note), style="dim"), soft_wrap=True)
        console.print()


def _fitting(table: Table, width: int) -> tuple[list[int], int]:
    """The columns that fit into a width, from the left, and how many do not."""
    kept: list[int] = []
    used = 1
    for place, title in enumerate(table.columns):
        used += 3 + max(cell_len(_cell(text)) for text in [title, *(row[place].text for row in table.rows)])
        if used > width and place > table.names:
            return kept, len(table.columns) - place
        kept.append(place)
    return kept, 0


def _cell(text: str) -> str:
    return printable(short(text, _LONGEST))


def show_live(looks: Iterable[list[LiveRun]], *, quiet: bool = False) -> None:
    """Show runs as they go, on stderr: a table that changes, or in a file lines now and then."""
    console = Console(stderr=True, highlight=False, markup=False)
    if quiet:
        for _ in looks:
            pass
    elif console.is_terminal:
        with Live(console=console, auto_refresh=False) as live:
            for runs in looks:
                live.update(_live_table(runs, console.height - 5), refresh=True)
    else:
        said: list[tuple[str, str]] = []
        spoken = 0.0
        for runs in looks:
            states = [(run.label, run.state) for run in runs]
            if states != said or time.monotonic() >= spoken + _PLAIN_SECONDS:
                said, spoken = states, time.monotonic()
                for run in runs:
                    console.print(Text("  ".join(filter(None, live_cells(run)))), soft_wrap=True)


def _live_table(runs: Sequence[LiveRun], height: int) -> Group:
    table = RichTable(header_style="bold")
    for place, title in enumerate(_LIVE):
        table.add_column(title, justify="left" if place < 2 else "right", no_wrap=True)
    shown = runs[: max(1, height)]
    for run in shown:
        table.add_row(*map(Text, live_cells(run)))
    running = sum(not run.ended for run in runs)
    words = f"{running} of {len(runs)} running; Ctrl-C ends the view, not the runs"
    more = f"; {len(runs) - len(shown)} more are not shown" if len(shown) < len(runs) else ""
    return Group(table, Text(words + more, style="dim"))


def live_cells(run: LiveRun) -> list[str]:
    """A run as a line of the live view."""
    state = run.state if run.ended or not run.phase else f"{run.state}, {run.phase}"
    if not run.ended and run.silent > _SILENT_SECONDS:
        state += f", silent for {hours(run.silent / 3600)}"
    step = f"{run.step:,}" if run.steps is None else f"{run.step:,}/{run.steps:,}"
    loss = run.metrics.get("loss")
    return [
        _cell(run.label),
        printable(state),
        step,
        f"loss {loss:.3f}" if isinstance(loss, int | float) else "",
        f"{count(run.samples_per_second)}/s" if run.samples_per_second else "",
        "" if run.ended or run.seconds_left is None else f"{hours(run.seconds_left / 3600)} left",
    ]
