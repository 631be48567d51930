"""`protoclip evaluate`: what trained models can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from protoclip_cli.core.errors import DataError, ProtoclipError
from protoclip_cli.core.reporter import Reporter
from protoclip_cli.evaluation.averages import Average, averages
from protoclip_cli.evaluation.effective_robustness import effective_robustness, read_trends
from protoclip_cli.evaluation.probes.base import ProbeSpec
from protoclip_cli.evaluation.score import Score
from protoclip_cli.evaluation.subjects import Wanted
from protoclip_cli.workflows.evaluator import EvaluateSettings, Evaluator

_NOTHING = "nothing could be evaluated"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The scores of models on the same benchmarks."""

    scores: Mapping[str, Sequence[Score]]
    """By the name of the model."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Why, by the name of each benchmark that could not be opened."""
    failed: Mapping[str, ProtoclipError] = field(default_factory=dict)
    """Why, by the name of each model that could not be evaluated to the end."""

    @property
    def averages(self) -> list[Average]:
        """Means over the benchmarks that all models have."""
        return averages(self.scores)


def evaluate(
    ckpt: str | Wanted,
    probes: Mapping[str, ProbeSpec],
    *,
    seed: int = 0,
    batch: int = 256,
    reporter: Reporter | None = None,
) -> list[Score]:
    """Evaluate a model. Scores of a run's checkpoint are also written to the run.

    Args:
        ckpt: a run, a checkpoint, a folder of open_clip, a file of weights, or a model by name.
        probes: what to run, by name.
        seed: of every choice that is left to chance.
        batch: rows encoded at a time.
        reporter: who is told what happens. None: nobody.

    Raises:
        DataError: there is no such model, or nothing could be evaluated.
    """
    wanted = Wanted(ckpt) if isinstance(ckpt, str) else ckpt
    done = compare([wanted], probes, EvaluateSettings(seed=seed, batch=batch), reporter)
    return list(done.scores[wanted.name])


def compare(
    wanted: Sequence[Wanted],
    probes: Mapping[str, ProbeSpec],
    settings: EvaluateSettings,
    reporter: Reporter | None = None,
    *,
    references: Path | None = None,
) -> Comparison:
    """Evaluate models on the same benchmarks, one model after the other.

    A model that fails does not take the scores of the others with it, unless all fail.

    Args:
        wanted: the models.
        probes: what to run, by name.
        settings: how to evaluate.
        reporter: who is told what happens. None: nobody.
        references: a table of reference models, for effective robustness; see `read_trends`.

    Raises:
        DataError: nothing could be evaluated, or the table of references cannot be used.
        ProtoclipError: of the first model, if none could be evaluated; of one that is not there.
    """
    trends = None if references is None else read_trends(references)
    evaluator = Evaluator(settings, reporter)
    for one in wanted:
        evaluator.locate(one)  # a name that is mistyped shall not be found out after hours
    scores: dict[str, list[Score]] = {}
    failed: dict[str, ProtoclipError] = {}
    for one in wanted:
        try:
            scores[one.name] = evaluator.evaluate(one, probes.values())
        except ProtoclipError as error:
            if len(wanted) == 1:
                raise
            failed[one.name] = error
            evaluator.reporter.warn(f"{one.name}: {error}")
    if not any(scores.values()):
        raise next(iter(failed.values()), DataError(_NOTHING, hint="the notes above say why, one by one"))
    if trends is not None:
        for name, found in scores.items():
            more = list(effective_robustness(found, trends))
            if not more:
                evaluator.reporter.warn(
                    f"{name}: no effective robustness without top1 on imagenet and a shifted set"
                )
            found.extend(more)
    return Comparison(scores, evaluator.benchmarks.missing, failed)
