"""Sentence similarity: whether sentences are as alike to the text tower as to people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.data.benchmarks.text_tasks import SentencePairs
from protoclip_cli.evaluation.embedder import Embedder
from protoclip_cli.evaluation.probes.base import Finding, Note, ProbeSpec
from protoclip_cli.metrics.confidence import Interval, of_correlation, of_mean_correlation
from protoclip_cli.metrics.correlation import by_subset, is_constant, pearson, pooled, spearman
from protoclip_cli.metrics.similarity import SIMILARITIES, similarities


class StsSpec(ProbeSpec):
    """Correlate the cosines of sentence pairs with the scores of people.

    `spearman` is one rank correlation over all subsets, as SimCSE and ITRA report it; `spearman_mean` and
    `spearman_wmean` are means of the subsets'. `spearman_max` is the best of four measures, which is what
    sentence-transformers reports; it is chosen on the test data.
    """

    kind: Literal["sts"] = "sts"

    default_benchmarks = ("sts12", "sts13", "sts14", "sts15", "sts16", "stsbenchmark", "sickr")
    usual = False

    def refuses(self, benchmark: Benchmark) -> str | None:
        """See `ProbeSpec`."""
        if not isinstance(benchmark.texts, SentencePairs):
            return "has no sentence pairs"
        if len(benchmark.texts.gold) < 2 or is_constant(benchmark.texts.gold):
            return "has scores of people that do not differ"
        return None

    def measure(self, benchmark: Benchmark, embedder: Embedder, seed: int, note: Note) -> Iterator[Finding]:  # noqa: ARG002
        """See `ProbeSpec`."""
        task = benchmark.texts
        assert isinstance(task, SentencePairs)
        n = len(task.gold)
        sentences = list(dict.fromkeys((*task.first, *task.second)))
        features = dict(zip(sentences, embedder.texts(sentences), strict=True))
        first, second = (np.stack([features[text] for text in side]) for side in (task.first, task.second))

        def finding(metric: str, value: float, interval: Interval | None) -> Finding:
            return Finding(split=benchmark.split, metric=metric, value=value, n=n, ci95=interval)

        alike = {measure: similarities(first, second, measure) for measure in SIMILARITIES}
        if is_constant(cosines := alike["cosine"]):
            note(f"sts: all pairs of {benchmark.name} are equally alike to the model, which counts as 0")
        whole = {measure: spearman(values, task.gold) for measure, values in alike.items()}
        yield finding("spearman", whole["cosine"], of_correlation(whole["cosine"], n))
        values, sizes = by_subset(cosines, task.gold, task.subset)
        mean, weighted = pooled(values, sizes, "mean"), pooled(values, sizes, "wmean")
        yield finding("spearman_mean", mean, of_mean_correlation(values, sizes, np.ones(len(sizes))))
        yield finding("spearman_wmean", weighted, of_mean_correlation(values, sizes, sizes))
        yield finding("pearson", pearson(cosines, task.gold), None)
        for measure in SIMILARITIES[1:]:
            yield finding(f"spearman_{measure}", whole[measure], of_correlation(whole[measure], n))
        yield Finding(
            split=benchmark.split, metric="spearman_max", value=max(whole.values()), n=n, selection="test"
        )
