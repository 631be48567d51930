"""Visual question answering without training: the statement about an image that lies nearest to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.data.benchmarks.text_tasks import Questions
from protoclip_cli.evaluation.embedder import Embedder, embed_once
from protoclip_cli.evaluation.probes.base import Finding, Note, ProbeSpec
from protoclip_cli.metrics.confidence import of_proportion
from protoclip_cli.metrics.similarity import similarities
from protoclip_cli.metrics.vqa import answer_accuracy, normal_answer


class VqaProbeSpec(ProbeSpec):
    """Answer questions about images by choosing among statements, and score the answers as VQA does.

    `accuracy` is over all questions; `accuracy_yes_no`, `accuracy_number` and `accuracy_other` over those
    that people answered so.
    """

    kind: Literal["vqa"] = "vqa"
    chunk: int = Field(4096, gt=0)
    """Questions whose statements are embedded at a time."""

    default_benchmarks = ("vqav2",)
    usual = False

    def refuses(self, benchmark: Benchmark) -> str | None:
        """See `ProbeSpec`."""
        return None if isinstance(benchmark.texts, Questions) else "has no questions about images"

    def measure(self, benchmark: Benchmark, embedder: Embedder, seed: int, note: Note) -> Iterator[Finding]:  # noqa: ARG002
        """See `ProbeSpec`. The intervals hold for any mean of numbers between 0 and 1, if a little wide."""
        task = benchmark.texts
        assert isinstance(task, Questions)
        images = embedder.images(task.images, task.rows)
        right = np.empty(len(task.rows))
        for start in range(0, len(right), self.chunk):
            part = slice(start, start + self.chunk)
            chosen = _choose(images[part], task.statements[part], embedder)
            for question, choice in enumerate(chosen.tolist(), start):
                people = [normal_answer(answer) for answer in task.answers[question]]
                right[question] = answer_accuracy(normal_answer(task.choices[question][choice]), people)

        def finding(metric: str, values: NDArray[np.float64]) -> Finding:
            share, n = float(values.mean()), len(values)
            return Finding(
                split=benchmark.split, metric=metric, value=share, n=n, ci95=of_proportion(share, n)
            )

        yield finding("accuracy", right)
        kinds = np.array(task.kinds)
        for kind in ("yes/no", "number", "other"):
            if (chosen := kinds == kind).any():
                yield finding(f"accuracy_{kind.replace('/', '_')}", right[chosen])


def _choose(
    images: NDArray[np.float32], statements: tuple[tuple[str, ...], ...], embedder: Embedder
) -> NDArray[np.int64]:
    """Which statement of each question lies nearest to its image; of equal ones the first.

    Args:
        images: (q, D), any length.
        statements: for each question at least one.
        embedder: the model.

    Returns:
        (q,).
    """
    counts = np.array([len(some) for some in statements])
    (texts,) = embed_once(embedder, [text for some in statements for text in some])
    question = np.repeat(np.arange(len(counts)), counts)
    cosines = similarities(images[question], texts)
    begins = np.cumsum(counts) - counts
    place = np.arange(len(question)) - begins[question]
    best = cosines == np.maximum.reduceat(cosines, begins)[question]
    return np.asarray(np.minimum.reduceat(np.where(best, place, len(place)), begins))
