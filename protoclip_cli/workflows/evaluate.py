"""`protoclip evaluate`: what a trained model can do."""

from __future__ import annotations

from collections.abc import Mapping

from protoclip_cli.compute.device import ComputeSpec, start
from protoclip_cli.compute.processes import is_main
from protoclip_cli.core.errors import DataError
from protoclip_cli.core.reporter import Reporter, Silent
from protoclip_cli.data.benchmarks import open_benchmark
from protoclip_cli.evaluation.embedder import CachedEmbedder
from protoclip_cli.evaluation.model_embedder import ModelEmbedder
from protoclip_cli.evaluation.probes.base import ProbeSpec
from protoclip_cli.evaluation.run import run_probes
from protoclip_cli.evaluation.score import Score
from protoclip_cli.workflows.after_episode import record_scores
from protoclip_cli.workflows.checkpoint_of import find_model


def evaluate(
    ckpt: str,
    probes: Mapping[str, ProbeSpec],
    *,
    seed: int = 0,
    batch: int = 256,
    reporter: Reporter | None = None,
) -> list[Score]:
    """Evaluate a model. Scores of a run's checkpoint are also written to the run.

    Args:
        ckpt: a run, a checkpoint, or a folder of open_clip.
        probes: what to run, by name.
        seed: of every choice that is left to chance.
        batch: rows encoded at a time.
        reporter: who is told what happens. None: nobody.

    Raises:
        DataError: there is no such model, or nothing could be evaluated.
    """
    accelerator = start(ComputeSpec())
    reporter = reporter if reporter is not None and is_main() else Silent()
    found = find_model(ckpt, reporter)
    model = found.model.to(accelerator.device)
    model.prefer_channels_last()
    embedder = CachedEmbedder(ModelEmbedder(model, accelerator.device, batch=batch))
    scores = []
    for score in run_probes(
        probes.values(),
        open_benchmark,
        embedder,
        seed=seed,
        episode=found.episode,
        step=found.step,
        note=reporter.warn,
    ):
        scores.append(score)
        reporter.scores([score.row()])
    if not scores:
        raise DataError("nothing could be evaluated", hint="the notes above say why, benchmark by benchmark")
    if found.run is not None:
        record_scores(found.run, scores, Silent())
    return scores
