"""`protoclip evaluate --submission`: predictions for ELEVATER's leaderboard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from protoclip_cli.compute.processes import is_main
from protoclip_cli.core.errors import DataError
from protoclip_cli.core.reporter import Reporter
from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.evaluation.elevater_counts import ParameterCounts, count_parameters
from protoclip_cli.evaluation.elevater_datasets import ELEVATER
from protoclip_cli.evaluation.elevater_submission import Entry, write_merged, write_predictions
from protoclip_cli.evaluation.embedder import Embedder
from protoclip_cli.evaluation.probes.base import Note, ProbeSpec
from protoclip_cli.evaluation.probes.few_shot import FewShotSpec
from protoclip_cli.evaluation.probes.zero_shot import ZeroShotSpec
from protoclip_cli.evaluation.subjects import Wanted
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.workflows.evaluator import EvaluateSettings, Evaluator

_PREFIX = "elevater_"


@dataclass(frozen=True, slots=True)
class _Predicted:
    """The logits of one data set by one fit."""

    track: str
    """Of the leaderboard, which wants a file for each: `zero_shot`, `5shot`, ..., `full`."""
    shots: int
    seed: int
    logits: NDArray[np.floating]
    width: int = 0
    """Of the features that a linear head was fitted to; 0: there is no head."""


def submit(
    wanted: Wanted,
    probes: Iterable[ProbeSpec],
    settings: EvaluateSettings,
    folder: Path,
    reporter: Reporter | None = None,
) -> list[Path]:
    """Write the predictions of a model for all ELEVATER data sets among its zero-shot and few-shot tasks.

    Args:
        wanted: the model.
        probes: what was evaluated; other probes predict nothing that the leaderboard takes.
        settings: how to evaluate.
        folder: for the files, a folder for each track in it.
        reporter: who is told, also of what a submission still lacks.

    Returns:
        The file to submit for each track.

    Raises:
        DataError: no data set of ELEVATER is there to predict.
    """
    evaluator = Evaluator(settings, reporter)
    tracks: set[str] = set()
    with ExitStack() as stack:
        model = evaluator.open(wanted, stack).model
        embedder = evaluator.embedder(model)
        for probe in probes:
            for ref in probe.refs:
                name = ref.removeprefix(_PREFIX) if isinstance(ref, str) else ""
                benchmark = evaluator.benchmarks(ref) if name in ELEVATER else None
                if benchmark is None or probe.refuses(benchmark):
                    continue
                for one in _predicted(probe, benchmark, embedder, evaluator.reporter.warn):
                    tracks.add(one.track)
                    if is_main():
                        entry = Entry(wanted.name, _counts(model, one), one.shots, one.seed)
                        write_predictions(folder / one.track, name, _softmax(one.logits), entry)
    if not tracks:
        raise DataError(
            "there is nothing to submit: no data set of ELEVATER was predicted by zero_shot or few_shot",
            hint="use --tasks elevater, and --data-root for the data",
        )
    return [_merged(folder / track, evaluator.reporter.warn) for track in sorted(tracks)] if is_main() else []


def _predicted(
    probe: ProbeSpec, benchmark: Benchmark, embedder: Embedder, note: Note
) -> Iterator[_Predicted]:
    if isinstance(probe, ZeroShotSpec):
        yield _Predicted("zero_shot", 0, 0, probe.logits(benchmark, embedder))
    elif isinstance(probe, FewShotSpec):
        width = _width(probe, benchmark, embedder)
        for shots in probe.shots:
            track = "full" if shots == -1 else f"{shots}shot"
            for seed in probe.seeds[:1] if shots == -1 else probe.seeds:
                logits = probe.logits(benchmark, embedder, shots, seed, note)
                yield _Predicted(track, shots, seed, logits, width)


def _width(probe: FewShotSpec, benchmark: Benchmark, embedder: Embedder) -> int:
    """How many numbers the features have that a probe fits a head to."""
    assert benchmark.test is not None
    model = embedder if probe.features == "embedding" else embedder.using(probe.features)
    return int(model.images(benchmark.test.images, benchmark.test.rows[:1]).shape[1])


def _counts(model: DualEncoder, one: _Predicted) -> ParameterCounts:
    """With the linear head that was fitted, if one was."""
    if not one.width:
        return count_parameters(model)
    head = nn.Linear(one.width, one.logits.shape[1])
    return count_parameters(model, head, trained=sum(p.numel() for p in head.parameters()))


def _softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    from scipy.special import softmax

    return np.asarray(softmax(np.asarray(logits, np.float64), axis=1))


def _merged(folder: Path, note: Note) -> Path:
    try:
        return write_merged(folder)
    except DataError as error:
        note(f"{folder.name} would be refused by the leaderboard: {error}")
        return write_merged(folder, complete=False)
