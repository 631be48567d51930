"""`protoclip evaluate --watch RUN`: evaluates checkpoints as they appear, until the run ends.

What is done stands in `scores.jsonl`, so a watcher that was stopped goes on where it was. Checkpoints appear
whole or not at all, so none is waited for.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from protoclip_cli.compute.processes import from_main, is_main
from protoclip_cli.core.errors import DataError
from protoclip_cli.core.reporter import Reporter
from protoclip_cli.data.benchmarks import label
from protoclip_cli.evaluation.probes.base import ProbeSpec
from protoclip_cli.evaluation.score import Score
from protoclip_cli.evaluation.subjects import Wanted
from protoclip_cli.store.checkpoints import Checkpoint, list_checkpoints
from protoclip_cli.store.run import RunFolder
from protoclip_cli.workflows.evaluate import Comparison
from protoclip_cli.workflows.evaluator import EvaluateSettings, Evaluator
from protoclip_cli.workflows.scores_of_run import read_scores_of

_POLL_SECONDS = 2.0
_ALIVE = frozenset({None, "running"})


def watch(
    run: Path,
    probes: Mapping[str, ProbeSpec],
    settings: EvaluateSettings,
    reporter: Reporter | None = None,
    *,
    poll: float = _POLL_SECONDS,
) -> Comparison:
    """Evaluate each checkpoint of a run that lacks scores, and new ones as they appear.

    Args:
        run: the run's folder.
        probes: what to run, by name.
        settings: how to evaluate.
        reporter: who is told what happens. None: nobody.
        poll: seconds between two looks.

    Returns:
        The scores made now, by checkpoint.

    Raises:
        DataError: there is no such run.
        ProtoclipError: the features of a checkpoint are not finite.
    """
    folder = RunFolder(run)
    if not folder.exists:
        raise DataError(f"{run} is no run: it has no recipe.yaml", hint="name a folder under runs/")
    evaluator = Evaluator(settings, reporter)
    todo = _Todo(folder, probes, settings)
    scores: dict[str, list[Score]] = {}
    for checkpoint, tasks in todo.until_the_end(poll):
        evaluator.reporter.note(f"evaluating {checkpoint.name}")
        due = [
            probe.model_copy(update={"benchmarks": [ref for ref in probe.refs if label(ref) in tasks[name]]})
            for name, probe in probes.items()
            if name in tasks
        ]
        try:
            scores[checkpoint.name] = evaluator.evaluate(Wanted(str(checkpoint)), due)
        except DataError as error:  # damaged, or pruned before it could be pinned
            evaluator.reporter.warn(f"{checkpoint.name} is left out: {error}")
    return Comparison(scores, evaluator.benchmarks.missing)


class _Todo:
    """Which checkpoints lack which scores. The first process looks; all hear the same."""

    def __init__(
        self, folder: RunFolder, probes: Mapping[str, ProbeSpec], settings: EvaluateSettings
    ) -> None:
        self.folder, self.probes, self.settings = folder, probes, settings
        self._tried: set[tuple[str, str, str]] = set()

    def until_the_end(self, poll: float) -> Iterator[tuple[Path, dict[str, list[str]]]]:
        """Checkpoints, oldest first, and the benchmarks they lack by the name of the task."""
        while True:
            seen = from_main(self._look() if is_main() else None)
            if seen["checkpoint"] is not None:
                yield Path(seen["checkpoint"]), seen["tasks"]
            elif seen["ended"]:
                return
            else:
                time.sleep(poll)

    def _look(self) -> dict[str, Any]:
        # Asked before looking: what was saved before the run ended is seen now.
        ended = self.folder.read_status().get("state") not in _ALIVE
        scores = read_scores_of(self.folder)
        for checkpoint in list_checkpoints(self.folder.checkpoints):
            if tasks := self._lacking(checkpoint, scores):
                return {"checkpoint": str(checkpoint.path), "tasks": tasks}
        return {"checkpoint": None, "ended": ended}

    def _lacking(self, checkpoint: Checkpoint, scores: list[Score]) -> dict[str, list[str]]:
        """What a checkpoint lacks and was not tried yet: a probe may refuse a benchmark."""
        try:
            model = str(checkpoint.state()["model_hash"])
        except (OSError, ValueError, KeyError):
            model = f"unreadable {checkpoint.path.name}"  # it is opened once, which says what is wrong
        settings = (self.settings.seed, self.settings.precision)
        have = {
            (score.probe, score.benchmark, score.metric.partition("@")[2])
            for score in scores
            if score.model_hash == model and (score.seed, score.precision) == settings
        }
        tasks: dict[str, list[str]] = {}
        for name, probe in self.probes.items():
            for benchmark in map(label, probe.refs):
                if (probe.kind, benchmark, probe.variant) not in have and (
                    model,
                    name,
                    benchmark,
                ) not in self._tried:
                    self._tried.add((model, name, benchmark))
                    tasks.setdefault(name, []).append(benchmark)
        return tasks
