"""What evaluates one model after the other, on all processes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from protoclip_cli.compute.device import ComputeSpec, start
from protoclip_cli.compute.processes import fail_together, from_main, is_main
from protoclip_cli.core.errors import ProtoclipError
from protoclip_cli.core.reporter import Reporter, Silent
from protoclip_cli.data.benchmarks import open_benchmark
from protoclip_cli.evaluation.embedder import CachedEmbedder
from protoclip_cli.evaluation.feature_cache import LIMIT_BYTES, FeatureCache, default_folder
from protoclip_cli.evaluation.model_embedder import EvaluationPrecision, ModelEmbedder
from protoclip_cli.evaluation.opened import OpenedBenchmarks
from protoclip_cli.evaluation.probes.base import ProbeSpec
from protoclip_cli.evaluation.run import run_probes
from protoclip_cli.evaluation.score import Score
from protoclip_cli.evaluation.stored_embedder import StoredEmbedder
from protoclip_cli.evaluation.subjects import Subject, Wanted, locate, open_subject
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.store.run import RunFolder
from protoclip_cli.workflows.scores_of_run import record_scores
from protoclip_cli.workflows.teacher_of_run import encoder_of_teacher


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateSettings:
    """How models are evaluated."""

    seed: int = 0
    """Of every choice that is left to chance."""
    batch: int = 256
    """Rows encoded at a time."""
    precision: EvaluationPrecision = "fp32"
    """In which type models compute."""
    data_root: Path | None = None
    """Where the data sets of shipped benchmarks are."""
    cache_bytes: int = LIMIT_BYTES
    """How much may be kept of features on disk. 0: nothing, and nothing is looked up."""


class Evaluator:
    """Evaluates models. Benchmarks are opened once for all of them."""

    def __init__(self, settings: EvaluateSettings, reporter: Reporter | None) -> None:
        """Join the other processes.

        Args:
            settings: how to evaluate.
            reporter: who is told what happens. None: nobody.
        """
        self.device = start(ComputeSpec()).device
        self.settings = settings
        self.reporter: Reporter = reporter if reporter is not None and is_main() else Silent()
        opener = partial(open_benchmark, root=settings.data_root) if settings.data_root else open_benchmark
        self.benchmarks = OpenedBenchmarks(opener, self.reporter.warn)

    def evaluate(self, wanted: Wanted, probes: Iterable[ProbeSpec]) -> list[Score]:
        """Scores of a model. Those of a run's checkpoint are also written to the run, as they come.

        Args:
            wanted: the model.
            probes: what to run.

        Raises:
            ProtoclipError: there is no such model, it is damaged, or its features are not finite.
        """
        with ExitStack() as stack:
            subject = self.open(wanted, stack)
            scores = run_probes(
                probes,
                self.benchmarks,
                self.embedder(subject.model, subject.run),
                seed=self.settings.seed,
                note=self.reporter.warn,
                episode=subject.episode,
                step=subject.step,
            )
            if subject.run is not None and self._may_write(subject.run.path):
                return record_scores(subject.run, scores, self.reporter)
            done = []
            for score in scores:
                done.append(score)
                self.reporter.scores([score.row()])
            return done

    def locate(self, wanted: Wanted) -> Wanted:
        """Which model is meant; of a run that grows, the first process decides which checkpoint.

        Raises:
            ProtoclipError: there is none.
        """
        located, error = None, None
        if is_main():
            try:
                located = asdict(locate(wanted, self.reporter.warn))
            except ProtoclipError as met:
                error = met
        fail_together(error)
        return Wanted(**from_main(located))

    def open(self, wanted: Wanted, stack: ExitStack) -> Subject:
        """The model, on all processes, until the stack is closed.

        Raises:
            ProtoclipError: there is no such model, or it is damaged.
        """
        located = self.locate(wanted)
        subject, error = None, None
        try:
            subject = stack.enter_context(open_subject(located, self.reporter.warn))
        except ProtoclipError as met:
            error = met
        fail_together(error)
        assert subject is not None
        return subject

    def embedder(self, model: DualEncoder, run: RunFolder | None = None) -> CachedEmbedder:
        """The model as probes see it, on the device."""
        model = model.to(self.device)
        embedder = ModelEmbedder(
            model,
            self.device,
            batch=self.settings.batch,
            precision=self.settings.precision,
            progress=lambda what, done, total: self.reporter.progress(
                f"{self.benchmarks.latest} {what}", done, total
            ),
            teacher=None if run is None else encoder_of_teacher(run),
        )
        if not self.settings.cache_bytes:
            return CachedEmbedder(embedder)
        cache = FeatureCache(default_folder(), self.reporter.warn, limit=self.settings.cache_bytes)
        return CachedEmbedder(StoredEmbedder(embedder, cache))

    def _may_write(self, folder: Path) -> bool:
        may = bool(from_main(os.access(folder, os.W_OK)))
        if not may:
            self.reporter.warn(f"{folder} cannot be written to, so these scores are not kept there")
        return may
