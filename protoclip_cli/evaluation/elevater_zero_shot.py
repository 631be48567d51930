"""Zero-shot predictions as ELEVATER's leaderboard takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.data.benchmarks.prompts import fill
from protoclip_cli.evaluation.elevater_submission import Entry, write_predictions
from protoclip_cli.evaluation.embedder import Embedder
from protoclip_cli.metrics.classification import zero_shot_classifier
from protoclip_cli.metrics.ranking import Floats, unit

_SCALE = 100.0
"""A constant of the toolkit, not the scale that a model learned."""


def class_probabilities(images: Floats, classifier: NDArray[np.float64]) -> NDArray[np.float64]:
    """The softmax of 100 times the cosine with each class.

    Args:
        images: (n, D), any length.
        classifier: (C, D), unit length.

    Returns:
        (n, C), rows that sum to 1.

    Raises:
        ProtoclipError: a feature is not finite.

    >>> class_probabilities(np.array([[2.0, 0.0]]), np.array([[0.6, 0.8], [0.6, 0.8]]))
    array([[0.5, 0.5]])
    """
    scores = _SCALE * unit(images, "images") @ classifier.T
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def submit_zero_shot(
    folder: Path, dataset: str, benchmark: Benchmark, embedder: Embedder, entry: Entry
) -> Path:
    """Predict the test split of a data set by prompts, and write the file to submit.

    Args:
        folder: `OUT/predictions/<experiment>`.
        dataset: the name on the leaderboard.
        benchmark: with classes, templates and test images in the order of the test list.
        embedder: the model.
        entry: who predicts.

    Returns:
        The file.

    Raises:
        DataError: the benchmark lacks images, names or templates.
        ProtoclipError: features of the model are not finite.
    """
    if benchmark.test is None or not benchmark.classes or not benchmark.templates:
        raise DataError(f"{benchmark.name} has no test images, class names or templates to predict with")
    prompts = [fill(template, name) for name in benchmark.classes for template in benchmark.templates]
    texts = embedder.texts(prompts).reshape(len(benchmark.classes), len(benchmark.templates), -1)
    images = embedder.images(benchmark.test.images, benchmark.test.rows)
    return write_predictions(folder, dataset, class_probabilities(images, zero_shot_classifier(texts)), entry)
