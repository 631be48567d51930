"""Passage retrieval: find what answers a query among all passages of a corpus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.data.benchmarks.text_tasks import Passages
from protoclip_cli.evaluation.embedder import Embedder, embed_once
from protoclip_cli.evaluation.probes.base import Finding, Note, ProbeSpec
from protoclip_cli.metrics.confidence import of_proportion
from protoclip_cli.metrics.passages import (
    BestPassages,
    Measure,
    Relevance,
    accuracy_at,
    average_precision_at,
    ndcg_at,
    precision_at,
    recall_at,
    reciprocal_rank_at,
)

_PREFIXES: dict[Measure, str] = {"cosine": "", "dot": "dot_"}


class PassageRetrievalSpec(ProbeSpec):
    """Rank the passages of a corpus for queries.

    `mrr@10` by cosine is the number to look at. `map@100_max` is the better of cosine and dot product, which
    is what ITRA reports; it is chosen on the test data. The corpus is never in memory as a whole.
    """

    kind: Literal["passage_retrieval"] = "passage_retrieval"
    chunk: int = Field(20_000, gt=0)
    """Passages embedded at a time. No number depends on it."""

    default_benchmarks = ("msmarco",)
    usual = False

    def refuses(self, benchmark: Benchmark) -> str | None:
        """See `ProbeSpec`."""
        if not isinstance(benchmark.texts, Passages):
            return "has no passages"
        return None if len(benchmark.texts.queries) else "has no query with a relevant passage"

    def measure(self, benchmark: Benchmark, embedder: Embedder, seed: int, note: Note) -> Iterator[Finding]:  # noqa: ARG002
        """See `ProbeSpec`. The intervals hold for any mean of numbers between 0 and 1, if a little wide."""
        task = benchmark.texts
        assert isinstance(task, Passages)
        queries = embedder.texts(task.queries)
        best = {measure: BestPassages(queries, measure) for measure in _PREFIXES}
        first = 0
        for texts in task.corpus.chunks(self.chunk):
            (features,) = embed_once(embedder, texts)
            for one in best.values():
                one.add(features, first)
            first += len(texts)
        n, maps = len(task.queries), []
        for measure, prefix in _PREFIXES.items():
            numbers = _numbers(_relevance(best[measure].rows(), task.relevant), task.judged)
            maps.append(numbers["map@100"])
            for name, value in numbers.items():
                yield Finding(
                    split=benchmark.split,
                    metric=prefix + name,
                    value=value,
                    n=n,
                    ci95=of_proportion(value, n),
                )
        yield Finding(split=benchmark.split, metric="map@100_max", value=max(maps), n=n, selection="test")


def _relevance(rows: NDArray[np.int64], relevant: tuple[NDArray[np.int64], ...]) -> Relevance:
    """Whether each passage found (q, found) is one of the query's relevant ones."""
    return np.stack([np.isin(found, right) for found, right in zip(rows, relevant, strict=True)])


def _numbers(relevant: Relevance, judged: NDArray[np.int64]) -> dict[str, float]:
    each = {"mrr@10": reciprocal_rank_at(relevant, 10), "ndcg@10": ndcg_at(relevant, judged, 10)}
    each["map@100"] = average_precision_at(relevant, judged, 100)
    each |= {f"accuracy@{k}": accuracy_at(relevant, k) for k in (1, 3, 5, 10)}
    each |= {f"precision@{k}": precision_at(relevant, k) for k in (10, 100)}
    each |= {f"recall@{k}": recall_at(relevant, judged, k) for k in (10, 100)}
    return {name: float(values.mean()) for name, values in each.items()}
