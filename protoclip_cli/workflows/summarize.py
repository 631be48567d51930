"""`protoclip summarize`: runs compared, from their text files and figures alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from protoclip_cli.core.errors import DataError, UsageError
from protoclip_cli.core.reporter import Reporter, Silent
from protoclip_cli.evaluation.elevater_datasets import ELEVATER
from protoclip_cli.evaluation.elevater_summary import write_summary
from protoclip_cli.sharing.comparison import Comparison, compare
from protoclip_cli.sharing.find_runs import find_runs
from protoclip_cli.sharing.grouping import find_group, group_runs
from protoclip_cli.sharing.live import LiveRun, Lookout
from protoclip_cli.sharing.remarks import remarks
from protoclip_cli.sharing.report import html
from protoclip_cli.sharing.run_record import RunRecord, labels_of, read_run
from protoclip_cli.store.files import disk_errors, write_text
from protoclip_cli.store.run import safe_name

_PREFIX = "elevater_"
_MANY = 200
"""So many runs take a second to read, which is worth a bar."""


def summarize(
    runs: Sequence[str],
    *,
    baseline: str | None = None,
    scores: Sequence[str] = (),
    reporter: Reporter | None = None,
) -> Comparison:
    """Compare runs, those of the same recipe with several seeds as one group.

    Args:
        runs: run folders, folders that hold some, or patterns.
        baseline: the group that differences are to, by its name or by a run in it.
        scores: keep only scores whose `probe/benchmark/metric` fits one of these patterns.
        reporter: who is told what to know before believing it. None: nobody.

    Raises:
        DataError: a name stands for no run, or no score fits.
        UsageError: there is no such baseline.
    """
    reporter = reporter or Silent()
    paths = find_runs(runs)
    records = []
    for done, (path, label) in enumerate(zip(paths, labels_of(paths), strict=True), 1):
        records.append(read_run(path, label))
        if len(paths) >= _MANY:
            reporter.progress("reading runs", done, len(paths))
    groups = group_runs(records)
    found = compare(groups, None if baseline is None else find_group(groups, baseline), scores)
    if scores and not found.lines:
        raise DataError(
            f"no score fits {', '.join(scores)}",
            hint="a score is probe/benchmark/metric, as in 'zero_shot/*/top1'",
        )
    for remark in remarks(found):
        reporter.note(remark)
    return found


def refuse_existing(path: Path, *, force: bool) -> None:
    """Make sure a report may be written.

    Raises:
        UsageError: something is there already.
    """
    if path.is_dir() or (path.exists() and not force):
        hint = "name a file" if path.is_dir() else "choose another name, or replace it with --force"
        raise UsageError(f"{path} exists", hint=hint)


def write_report(
    comparison: Comparison, path: Path, *, title: str = "Runs compared", force: bool = False
) -> None:
    """Write a comparison as one HTML file that needs nothing beside it.

    Raises:
        UsageError: the file exists, and is not to be replaced.
    """
    refuse_existing(path, force=force)
    text = html(comparison, title)
    with disk_errors(f"making {path.parent}"):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)


def write_elevater(comparison: Comparison, folder: Path) -> list[Path]:
    """Write ELEVATER's summary of each run and kind of probe that was evaluated on its data sets.

    Args:
        comparison: of runs.
        folder: gets a folder for each kind of probe, of several runs below a folder for each run.

    Returns:
        The folders, each with `summary.json` and `summary.csv`.

    Raises:
        DataError: no run has such scores, or some lack data sets; complete ones are written nevertheless.
    """
    made, errors = [], []
    for run in comparison.runs:
        below = folder if len(comparison.runs) == 1 else folder / safe_name(run.label)
        for mode, values in _of_elevater(run).items():
            try:
                write_summary(below / safe_name(mode), values)
                made.append(below / safe_name(mode))
            except DataError as error:
                errors.append(DataError(f"{run.label}, {mode}: {error}", hint=error.hint))
    if errors:
        raise errors[0]
    if not made:
        raise DataError(
            "no run was evaluated on ELEVATER's data sets",
            hint="`protoclip evaluate --ckpt RUN --tasks elevater` does that",
        )
    return made


def _of_elevater(run: RunRecord) -> dict[str, dict[str, float]]:
    """Final primary scores by kind of probe and data set."""
    found: dict[str, dict[str, float]] = {}
    for key, series in run.scores.items():
        dataset = ELEVATER.get(key.benchmark.removeprefix(_PREFIX))
        metric, _, variant = key.metric.partition("@")
        if key.benchmark.startswith(_PREFIX) and dataset is not None and metric == dataset.metric:
            parts = [key.probe, variant, "" if key.selection in {"none", "validation"} else key.selection]
            found.setdefault("_".join(filter(None, parts)), {})[dataset.name] = series.final
    return found


def watch(runs: Sequence[str], *, every: float = 2.0) -> Iterator[list[LiveRun]]:
    """Look at runs again and again, until all have ended.

    Args:
        runs: as in `summarize`.
        every: seconds between two looks.

    Yields:
        How each run is, those that still run first.

    Raises:
        DataError: a name stands for no run.
    """
    lookout = Lookout(runs)
    while True:
        seen = lookout.look(time.time())
        yield seen
        if all(run.ended for run in seen):
            return
        time.sleep(every)
