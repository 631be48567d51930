"""What a person sees while a command works: one progress line, notes and tables, all on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from protoclip_cli.cli.ending import printable
from protoclip_cli.core.reporter import Pace

_LINE_SECONDS, _LINE_SECONDS_VERBOSE = 10.0, 1.0
_TABLE_WIDTH = 110  # of log files, which have none of their own


class Screen:
    """A `Reporter` for terminals and log files. User strings are never read as markup."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self.console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        if not self.console.is_terminal:
            self.console.width = _TABLE_WIDTH
        self.quiet = quiet
        self._bar = self._make_bar() if self.console.is_terminal and not (quiet or verbose) else None
        self._task: Any = None
        self._work: dict[str, Any] = {}
        self._every = _LINE_SECONDS_VERBOSE if verbose else _LINE_SECONDS
        self._next_line = 0.0

    def __enter__(self) -> Screen:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()

    def _make_bar(self) -> Progress:
        return Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}", markup=False),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
        )

    def note(self, message: str) -> None:
        """Say something worth knowing."""
        self._say(message)

    def warn(self, message: str) -> None:
        """Say something worth acting on."""
        self._say(f"warning: {message}")

    def _say(self, message: str) -> None:
        if not self.quiet:
            self.console.print(Text(printable(message)))

    def pace(self, pace: Pace) -> None:
        """Show where training is."""
        if self.quiet:
            return
        place = f"episode {pace.episode + 1}/{pace.episodes} {pace.phase}"
        if self._bar:
            if self._task is None:
                self._task = self._bar.add_task(place, total=pace.steps, numbers="")
            self._bar.update(self._task, completed=pace.step, description=place, numbers=_numbers(pace))
        elif time.monotonic() >= self._next_line or pace.step == pace.steps:
            self._next_line = time.monotonic() + self._every
            self._say(f"{place}  step {pace.step}/{pace.steps}  {_numbers(pace)}")

    def progress(self, what: str, done: int, total: int, numbers: str = "") -> None:
        """Show how far work that is not training has come."""
        if self.quiet:
            return
        if self._bar:
            if what not in self._work:
                self._work[what] = self._bar.add_task(what, total=total, numbers="")
            words = printable(numbers)
            task = self._work[what]
            self._bar.update(task, completed=done, total=total, visible=done < total, numbers=words)
        elif time.monotonic() >= self._next_line or done == total:
            self._next_line = time.monotonic() + self._every
            self._say(f"{what}  {done:,}/{total:,}  {numbers}".rstrip())

    def scores(self, rows: list[dict[str, Any]]) -> None:
        """Show scores as they come in, where lines are shown at all."""
        if not self._bar:
            for row in rows:
                self._say(f"  {row['probe']} {row['benchmark']} {row['metric']}: {shown(row)}")

    def table(self, rows: Sequence[dict[str, Any]]) -> None:
        """Show scores as a table."""
        if self.quiet or not rows:
            return
        table = Table(title=None, header_style="bold")
        for title in ("probe", "benchmark", "metric"):
            table.add_column(title, no_wrap=True)
        for title in ("score", "95 %", "n"):
            table.add_column(title, justify="right", no_wrap=True)
        for row in rows:
            interval = row["ci95"]
            bounds = " to ".join(_number(end, row) for end in interval) if interval else ""
            names = (printable(str(row[key])) for key in ("probe", "benchmark", "metric"))
            table.add_row(*map(Text, (*names, shown(row), bounds, f"{row['n']:,}")))
        self.console.print(table)

    def grid(self, titles: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
        """Show lines of text in columns."""
        if self.quiet or not lines:
            return
        table = Table(title=None, header_style="bold")
        for title in titles:
            table.add_column(title)
        for line in lines:
            table.add_row(*(Text(printable(cell)) for cell in line))
        self.console.print(table)


def is_share(row: dict[str, Any]) -> bool:
    """Whether a score is a fraction of something, which people read in percent."""
    return row.get("probe") != "feature_statistics" and not any(
        word in row["metric"] for word in ("loss", "rank")
    )


def shown(row: dict[str, Any]) -> str:
    """A score as people read it: percent, but for losses, ranks and statistics of features."""
    return _number(row["value"], row) + (" %" if is_share(row) else "")


def _number(value: float, row: dict[str, Any]) -> str:
    return f"{100 * value:.1f}" if is_share(row) else f"{value:.3f}"


def _numbers(pace: Pace) -> str:
    loss, rate = pace.metrics.get("loss"), pace.metrics.get("lr")
    parts = [f"{pace.samples_per_second:,.0f}/s"]
    if loss is not None:
        parts.append(f"loss {loss:.3f} (chance {pace.chance:.2f})")
    scales = [value for name, value in pace.metrics.items() if name.endswith("/scale") and value is not None]
    parts += [f"scale {scales[0]:.1f}"] if scales else []
    parts += [f"lr {rate:.1e}"] if rate is not None else []
    return "  ".join(parts)


def print_result(text: str) -> None:
    """Print a result on stdout, where data goes."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
