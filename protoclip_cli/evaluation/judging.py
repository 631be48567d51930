"""What probes that classify report: every metric their kind of labels allows, each with its interval."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.compute.randomness import generator
from protoclip_cli.core.errors import DataError, ProtoclipError
from protoclip_cli.data.benchmarks.base import Benchmark, Labelled, Metric
from protoclip_cli.evaluation.few_shot_sample import Truth
from protoclip_cli.metrics import confidence
from protoclip_cli.metrics.average_precision import Convention, Difficult, mean_average_precision
from protoclip_cli.metrics.classification import hits_per_class, mean_per_class_recall, roc_auc
from protoclip_cli.metrics.ranking import Floats, places, within


@dataclass(frozen=True, slots=True)
class Judged:
    """One number and its interval."""

    metric: str
    value: float
    ci95: confidence.Interval | None
    outcomes: NDArray[np.float32] | None = None
    """(n,), what each example contributes, where the value is their mean."""


def class_count(benchmark: Benchmark) -> int:
    """How many classes there are, named or not."""
    parts = (benchmark.test, benchmark.train, benchmark.val, benchmark.whole)
    return max(len(benchmark.classes), *(_classes_of(part) for part in parts if part is not None))


def misfit(benchmark: Benchmark, *parts: Labelled) -> str | None:
    """What is wrong with the labels of a benchmark, as the end of a sentence. None: nothing."""
    named = len(benchmark.classes)
    found = max(map(_classes_of, parts))
    if named and (found > named or any(p.targets is not None and p.targets.shape[1] < named for p in parts)):
        return f"has labels of {found} classes, but {named} class names"
    return None


def _classes_of(part: Labelled) -> int:
    return int(part.labels.max(initial=-1)) + 1 if part.targets is None else part.targets.shape[1]


def judge(scores: Floats, test: Truth, metric: Metric, seed: int, *, top5: bool = True) -> Iterator[Judged]:
    """Judge the scores of images for classes.

    Args:
        scores: (n, C), logits: a softmax over them gives probabilities.
        test: what is true.
        metric: the benchmark's own. Two classes have an area under the ROC curve only where it is that.
        seed: of intervals.
        top5: whether five guesses mean something.

    Raises:
        ProtoclipError: a score is NaN.
        DataError: no class has a positive.
    """
    if np.isnan(scores).any():
        raise ProtoclipError(
            "some images have scores that are not numbers", hint="lower the learning rate, or use fp32"
        )
    if test.targets is not None:
        yield from _of_several(scores, test.targets, seed)
        return
    yield from judge_ranks(places(scores, test.labels), test.labels, scores.shape[1], top5=top5)
    if metric == "roc_auc" and scores.shape[1] == 2:
        difference, positive = _difference(scores), test.labels == 1
        if positive.all() or not positive.any():
            raise DataError("an area under the ROC curve needs images of both classes")
        yield Judged("roc_auc", roc_auc(difference, positive), confidence.of_roc_auc(difference, positive))


def judge_ranks(
    found: NDArray[np.int64], labels: NDArray[np.int64], classes: int, *, top5: bool = True
) -> Iterator[Judged]:
    """Judge the ranks (n,) of the right classes, from 0."""
    for k in (1, 5) if top5 else (1,):
        if k <= classes:
            share, right = within(found, k), (found < k).astype(np.float32)
            yield Judged(f"top{k}", share, confidence.of_proportion(share, len(found)), right)
    correct = found == 0
    interval = confidence.of_class_mean(*hits_per_class(correct, labels))
    yield Judged("mean_per_class", mean_per_class_recall(correct, labels), interval)


def primary(scores: Floats, truth: Truth, metric: Metric) -> float:
    """The number that settings are chosen by. 0 where a score is not finite: a training that failed.

    Args:
        scores: (n, C), logits.
        truth: labels.
        metric: the benchmark's own.
    """
    if not np.isfinite(scores).all():
        return 0.0
    if truth.targets is not None:
        convention: Convention = "voc07" if metric == "map11" else "full"
        value = mean_average_precision(scores, truth.targets, convention)
        return 0.0 if np.isnan(value) else value
    correct = scores.argmax(axis=1) == truth.labels
    if metric == "roc_auc" and scores.shape[1] == 2 and 0 < (truth.labels == 1).sum() < len(truth.labels):
        return roc_auc(_difference(scores), truth.labels == 1)
    return (
        mean_per_class_recall(correct, truth.labels) if metric == "mean_per_class" else float(correct.mean())
    )


def _difference(scores: Floats) -> NDArray[np.float64]:
    return np.asarray(scores[:, 1], np.float64) - scores[:, 0]


def _of_several(scores: Floats, targets: NDArray[np.int8], seed: int) -> Iterator[Judged]:
    """Mean average precisions: on the scores, and as ELEVATER has it, on their softmax."""
    from scipy.special import softmax

    found: list[tuple[str, Floats, Convention]] = [
        ("map", scores, "full"),
        ("map11", scores, "voc07"),
        ("map11_elevater", softmax(scores, axis=1), "elevater11"),
    ]
    for metric, values, convention in found:
        difficult: Difficult = "negative" if convention == "elevater11" else "ignore"
        of = partial(_mean_of, values, targets, convention, difficult)
        if np.isnan(value := of(np.arange(len(scores)))):
            raise DataError("no class has a positive image", hint="check the label files of the benchmark")
        chance = generator(seed, "judging", len(scores))
        yield Judged(metric, value, confidence.of_halves(of, value, len(scores), chance, low=0, high=1))


def _mean_of(
    scores: Floats,
    targets: NDArray[np.int8],
    convention: Convention,
    difficult: Difficult,
    rows: NDArray[np.int64],
) -> float:
    return mean_average_precision(scores[rows], targets[rows], convention, difficult)
