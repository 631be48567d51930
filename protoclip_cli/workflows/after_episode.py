"""What follows an episode of training: the loss on unseen pairs, the probes that are due, and pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import torch

from protoclip_cli.core.needs import Needs
from protoclip_cli.core.reporter import Reporter
from protoclip_cli.core.types import Features, StepInputs
from protoclip_cli.data.benchmarks import open_benchmark
from protoclip_cli.data.pairs import PairSource
from protoclip_cli.evaluation.embedder import CachedEmbedder
from protoclip_cli.evaluation.model_embedder import ModelEmbedder
from protoclip_cli.evaluation.run import run_probes
from protoclip_cli.evaluation.score import Score
from protoclip_cli.metrics.ranking import within
from protoclip_cli.metrics.retrieval import CUTS, mean_rank, median_rank, retrieval_ranks
from protoclip_cli.recipe.train import TrainRecipe
from protoclip_cli.store.run import RunFolder
from protoclip_cli.training.learner import Learner
from protoclip_cli.workflows.draw_episode import draw_episode
from protoclip_cli.workflows.scores_of_run import record_scores
from protoclip_cli.workflows.teacher_of_run import encoder_of_teacher

_PAIR = Needs(image_views=1, text_views=1)


class AfterEpisode:
    """Called by the loop, on all processes, with the learner as it then is."""

    def __init__(
        self,
        recipe: TrainRecipe,
        folder: RunFolder,
        learner: Learner,
        device: torch.device,
        reporter: Reporter,
    ) -> None:
        self.recipe, self.folder, self.learner = recipe, folder, learner
        self.device, self.reporter = device, reporter
        self._validation: PairSource | None = None

    def __call__(self, episode: int, step: int, pause: Callable[[], None]) -> None:
        """Measure what is due after an episode.

        Args:
            episode: which one is done.
            step: optimiser steps done.
            pause: called between the parts; may raise to stop.
        """
        due = self.recipe.evaluate.due(episode, self.recipe.episodes.count)
        draws = self.recipe.visualize.due(episode)
        if not due and not draws and not self._validates(episode):
            return
        self.learner.lend_scale()
        average = self.recipe.evaluate.weights == "average"
        model = self.learner.followers["average"].model if average else self.learner.model
        teacher = encoder_of_teacher(self.folder)
        embedder = CachedEmbedder(ModelEmbedder(model, self.device, teacher=teacher))
        if self._validates(episode):
            pause()
            record_scores(self.folder, list(self._validate(embedder, episode, step)), self.reporter)
        for probe in due.values():
            pause()
            scores = run_probes(
                [probe],
                open_benchmark,
                embedder,
                seed=self.recipe.seed,
                episode=episode,
                step=step,
                note=self.reporter.warn,
            )
            record_scores(self.folder, scores, self.reporter)
        if draws:
            pause()
            draw_episode(self.recipe, self.folder, embedder, episode, step, self.reporter)

    def _validates(self, episode: int) -> bool:
        spec, number = self.recipe.validation, episode + 1
        return spec is not None and (number % spec.every == 0 or number == self.recipe.episodes.count)

    def _validate(self, embedder: CachedEmbedder, episode: int, step: int) -> Iterator[Score]:
        began = time.perf_counter()
        spec = self.recipe.validation
        assert spec is not None
        self._validation = source = self._validation or spec.pairs.open()
        rows = np.arange(len(source))
        images = embedder.images(source, rows)
        texts = embedder.texts([source.captions[source.captions.of(int(row))[0]] for row in rows])
        measured = self._losses(torch.from_numpy(images), torch.from_numpy(texts), episode)
        ranks = retrieval_ranks(images, texts, rows)
        for way, found in (("image_to_text", ranks.image_to_text), ("text_to_image", ranks.text_to_image)):
            measured |= {f"{way}_recall@{k}": within(found, k) for k in CUTS}
            measured |= {
                f"{way}_mean_rank": mean_rank(found),
                f"{way}_median_rank": float(median_rank(found)),
            }
        for metric, value in measured.items():
            yield Score(
                probe="validation",
                benchmark="validation",
                split="validation",
                metric=metric,
                value=value,
                higher_is_better="recall" in metric,
                n=len(rows),
                model_hash=embedder.model_hash,
                transform=embedder.transform,
                precision=embedder.precision,
                seed=self.recipe.seed,
                episode=episode,
                step=step,
                seconds=round(time.perf_counter() - began, 3),
            )

    def _losses(self, images: torch.Tensor, texts: torch.Tensor, episode: int) -> dict[str, float]:
        """Mean losses over batches of the training size, of objectives that need one embedding a side."""
        specs = self.recipe.typed_objectives
        plain = [
            name for name, spec in specs.items() if spec.active(episode) and spec.needs() | _PAIR == _PAIR
        ]
        if not plain:
            return {}
        size = min(self.recipe.batch.contrasted, len(images))
        outcomes = []
        with torch.no_grad():
            for start in range(0, len(images) - size + 1, size):
                part = slice(start, start + size)
                image, text = (Features(side[part].to(self.device)) for side in (images, texts))
                inputs = StepInputs((image,), (text,), slice(0, size))
                outcomes.append({name: self.learner.objectives[name](inputs).loss.item() for name in plain})
        losses = {f"{name}/loss": float(np.mean([o[name] for o in outcomes])) for name in plain}
        return {"loss": sum(specs[name].weight * losses[f"{name}/loss"] for name in plain), **losses}
