"""How `protoclip evaluate` shows what came out."""

from __future__ import annotations

import json
from collections.abc import Sequence

from protoclip_cli.cli.screen import Screen, print_result, shown
from protoclip_cli.compute.processes import is_main
from protoclip_cli.core.errors import DataError
from protoclip_cli.evaluation.score import Score
from protoclip_cli.workflows.evaluate import Comparison

_COLUMNS = 6
"""More models than these do not fit on a screen beside each other; they have a row a score then."""


def show_result(done: Comparison, screen: Screen, *, as_json: bool, skip_missing: bool) -> None:
    """Print tables and the result. The first process speaks; all end alike.

    Raises:
        DataError: a benchmark is missing, and that matters.
        ProtoclipError: of the first model that failed.
    """
    if is_main():
        _tables(done, screen)
        print_result(_document(done) if as_json else "\n".join(done.scores))
    for error in done.failed.values():
        raise error
    if done.missing and not skip_missing:
        names = ", ".join(done.missing)
        raise DataError(
            f"{len(done.missing)} benchmarks are missing: {names}",
            hint="the notes above say what to put where; --skip-missing makes this no error",
        )


def _document(done: Comparison) -> str:
    shared = ("model_hash", "transform", "precision", "episode", "step")
    models = [
        {"name": name} | {key: scores[0].row()[key] for key in shared}
        for name, scores in done.scores.items()
        if scores
    ]
    averages = [
        {"probe": mean.probe, "metric": mean.metric, "benchmarks": mean.benchmarks, "values": mean.values}
        for mean in done.averages
    ]
    return json.dumps(
        {
            "ckpt": ", ".join(done.scores),
            "models": models,
            "scores": [score.row() for scores in done.scores.values() for score in scores],
            "averages": averages,
            "missing": done.missing,
        }
    )


def _tables(done: Comparison, screen: Screen) -> None:
    """One model: a row a score, with intervals. Several: a column a model. Many: a row a model and score."""
    names = list(done.scores)
    if len(names) == 1:
        screen.table([score.row() for score in done.scores[names[0]]])
    elif len(names) > _COLUMNS:
        every = [(name, score) for name, scores in done.scores.items() for score in scores]
        rows = [[name, s.probe, s.benchmark, s.metric, shown(s.row())] for name, s in every]
        screen.grid(["model", "probe", "benchmark", "metric", "score"], rows)
        return
    else:
        screen.grid(["probe", "benchmark", "metric", *names], _lines(done, names))
    means = [
        [mean.probe, f"mean of {len(mean.benchmarks)}", mean.metric]
        + [shown({"probe": mean.probe, "metric": mean.metric, "value": mean.values[name]}) for name in names]
        for mean in done.averages
    ]
    screen.grid(["probe", "benchmarks", "metric", *names], means)


def _lines(done: Comparison, names: Sequence[str]) -> list[list[str]]:
    cells: dict[tuple[str, str, str], dict[str, Score]] = {}
    for name in names:
        for score in done.scores[name]:
            cells.setdefault((score.probe, score.benchmark, score.metric), {})[name] = score
    return [
        [*key, *(shown(found[name].row()) if name in found else "" for name in names)]
        for key, found in cells.items()
    ]
