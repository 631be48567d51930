"""Scores of the models between one and the same one after fine-tuning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from protoclip_cli.core.errors import UsageError
from protoclip_cli.core.reporter import Reporter
from protoclip_cli.data.benchmarks import BenchmarkRef
from protoclip_cli.evaluation.embedder import CachedEmbedder
from protoclip_cli.evaluation.model_embedder import ModelEmbedder
from protoclip_cli.evaluation.opened import OpenedBenchmarks
from protoclip_cli.evaluation.probes import PROBES
from protoclip_cli.evaluation.run import run_probes
from protoclip_cli.evaluation.score import Score
from protoclip_cli.evaluation.subjects import Wanted, open_subject
from protoclip_cli.evaluation.wise_ft import frontier
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.saved import put_weights, weights_of

_ALPHAS = tuple(tenth / 10 for tenth in range(11))


def scores_between(
    before: str,
    model: DualEncoder,
    benchmarks: Sequence[BenchmarkRef],
    opened: OpenedBenchmarks,
    like: ModelEmbedder,
    reporter: Reporter,
) -> list[dict[str, Any]]:
    """Zero-shot scores of eleven models from one to the other, as rows of `scores.jsonl`. Collective.

    They are drawn and not kept: no checkpoint has such weights.

    Args:
        before: the model that was fine-tuned, as a path.
        model: what it became; as it was, when this is done.
        benchmarks: what to classify.
        opened: opens benchmarks.
        like: embeds as this one does.
        reporter: who is told what happens.

    Raises:
        DataError: the two are not of one architecture.
        UsageError: no benchmark is named.
    """
    if not benchmarks:
        raise UsageError("--before compares models on benchmarks", hint="add --benchmark NAME, repeatable")
    probe = PROBES.spec("zero_shot").model_validate({"kind": "zero_shot", "benchmarks": list(benchmarks)})
    with open_subject(Wanted(before), reporter.warn) as subject:
        first = {name: tensor.cpu().clone() for name, tensor in weights_of(subject.model).items()}
    last = {name: tensor.cpu().clone() for name, tensor in weights_of(model).items()}

    def scores_of(state: dict[str, Tensor]) -> Iterator[Score]:
        put_weights(model, state)
        embedder = ModelEmbedder(model, like.device, batch=like.batch)
        yield from run_probes([probe], opened, CachedEmbedder(embedder), seed=0, note=reporter.warn)

    rows = []
    for number, alpha in enumerate(_ALPHAS):
        reporter.progress("weights in between", number, len(_ALPHAS))
        rows += [score.row() for _, score in frontier(first, last, [alpha], scores_of)]
    put_weights(model, last)
    return rows
