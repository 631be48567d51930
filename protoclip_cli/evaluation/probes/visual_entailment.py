"""Visual entailment without images to learn from: what is fitted to captions is tried on images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from protoclip_cli.compute.randomness import generator
from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.data.benchmarks.text_tasks import ENTAILMENT, TextEntailment, VisualEntailment
from protoclip_cli.evaluation.embedder import Embedder, embed_once
from protoclip_cli.evaluation.pair_classifier import Pairs, fit_pairs
from protoclip_cli.evaluation.probes.base import Finding, Note, ProbeSpec
from protoclip_cli.metrics import confidence
from protoclip_cli.metrics.classification import hits_per_class, mean_per_class_recall
from protoclip_cli.metrics.ranking import unit


class VisualEntailmentSpec(ProbeSpec):
    """Fit a small network to captions and hypotheses, and give it images in the place of captions.

    Both towers are frozen, and no image is seen while fitting: what carries over is the space they share. The
    epoch is chosen on the validation split, by captions too.

    Song et al., CLIP Models are Few-shot Learners: Empirical Studies on VQA and Visual Entailment, 2022.
    https://arxiv.org/abs/2203.07190
    """

    kind: Literal["visual_entailment"] = "visual_entailment"
    rows: int | None = Field(None, gt=0)
    """Fit on so many rows of the train split, drawn at random. Left out: all."""
    hidden: int = Field(512, gt=0)
    """Width of the network's one hidden layer."""
    epochs: int = Field(5, gt=0)
    """How often it sees the rows."""

    default_benchmarks = ("snli_ve",)
    usual = False

    def refuses(self, benchmark: Benchmark) -> str | None:
        """See `ProbeSpec`."""
        if not isinstance(benchmark.texts, VisualEntailment):
            return "has no hypotheses about images"
        labels = benchmark.texts.train.labels
        return None if len(np.unique(labels)) > 1 else "has one label only in its train split"

    def measure(self, benchmark: Benchmark, embedder: Embedder, seed: int, note: Note) -> Iterator[Finding]:
        """See `ProbeSpec`."""
        task = benchmark.texts
        assert isinstance(task, VisualEntailment)
        train = self._drawn(task.train, seed)
        fit, validation = _pairs(train, embedder), _pairs(task.validation, embedder)
        classifier = fit_pairs(fit, validation, len(ENTAILMENT), self.hidden, self.epochs, seed)
        if classifier.epoch == self.epochs:
            note(f"visual_entailment: the last of {self.epochs} epochs was the best; more may be better")
        images = unit(embedder.images(task.images, task.rows), "images")
        (hypotheses,) = embed_once(embedder, task.hypotheses)
        correct = classifier.predict(images, unit(hypotheses, "texts")) == task.labels

        def finding(metric: str, value: float, interval: confidence.Interval) -> Finding:
            return Finding(
                split=benchmark.split,
                metric=metric,
                value=value,
                n=len(correct),
                ci95=interval,
                classes=len(ENTAILMENT),
                selection="validation",
            )

        share = float(correct.mean())
        yield finding("top1", share, confidence.of_proportion(share, len(correct)))
        interval = confidence.of_class_mean(*hits_per_class(correct, task.labels))
        yield finding("mean_per_class", mean_per_class_recall(correct, task.labels), interval)

    def _drawn(self, split: TextEntailment, seed: int) -> TextEntailment:
        if self.rows is None or self.rows >= len(split.labels):
            return split
        rows = np.sort(generator(seed, "visual_entailment/rows").permutation(len(split.labels))[: self.rows])
        return TextEntailment(
            premises=[split.premises[row] for row in rows],
            hypotheses=[split.hypotheses[row] for row in rows],
            labels=split.labels[rows],
        )


def _pairs(split: TextEntailment, embedder: Embedder) -> Pairs:
    """Features of a split: each different text once."""
    texts = list(dict.fromkeys((*split.premises, *split.hypotheses)))
    place = {text: number for number, text in enumerate(texts)}
    (features,) = embed_once(embedder, texts)

    def rows(side: list[str]) -> NDArray[np.int64]:
        return np.array([place[text] for text in side], np.int64)

    return Pairs(
        features=unit(features, "texts").astype(np.float32),
        premise=rows(list(split.premises)),
        hypothesis=rows(list(split.hypotheses)),
        labels=split.labels,
    )
