"""Linear probe: how much of the classes a straight cut through the image features finds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.evaluation.embedder import Embedder, Features
from protoclip_cli.evaluation.head_fit import Task
from protoclip_cli.evaluation.judging import class_count, judge
from protoclip_cli.evaluation.learnable import Learnable
from protoclip_cli.evaluation.linear_fits import FITS, Method, Rows
from protoclip_cli.evaluation.probe_settings import Original
from protoclip_cli.evaluation.probes.base import Finding, Note, ProbeSpec, needs_train_split

_OF_SEVERAL = ("lbfgs", "sgd", "adamw")


class LinearProbeSpec(ProbeSpec):
    """Fit a linear classifier to image features of the train split and score it on the test split.

    What is chosen is chosen on the data set's validation split, or else on a fifth of the train split, never
    on the test split unless `select_on` says so. The last fit has train and validation rows.
    """

    kind: Literal["linear_probe"] = "linear_probe"
    method: Method = "lbfgs"
    """`lbfgs`: logistic regression on standardised features, its strength chosen; `sklearn`: the same on
    features as they are, its strength given; `sgd`: gradient steps, the epoch chosen; `adamw`: gradient
    steps, the weight decay chosen."""
    original: Original = "protoclip"
    """Whose settings `sklearn` and `sgd` have."""
    strength: float | None = None
    """C of `sklearn`. Left out: that of the original."""
    select_on: Literal["validation", "test"] = "validation"
    """`test`: choose on the rows that are scored, as the originals, only to compare with their numbers."""
    features: Features = "embedding"
    """`backbone`: before the projection into the shared space, as ITRA."""

    default_benchmarks = ("glyphs_script", "digits")

    @property
    def variant(self) -> str:
        """See `ProbeSpec`."""
        method = f"{self.method}_{self.original}" if self.method in {"sklearn", "sgd"} else self.method
        parts = [method] if self.method != "lbfgs" else []
        return "_".join(parts if self.features == "embedding" else [*parts, self.features])

    def refuses(self, benchmark: Benchmark) -> str | None:
        """See `ProbeSpec`."""
        return needs_train_split(benchmark)

    def measure(self, benchmark: Benchmark, embedder: Embedder, seed: int, note: Note) -> Iterator[Finding]:
        """See `ProbeSpec`."""
        assert benchmark.train is not None
        assert benchmark.test is not None
        if benchmark.test.targets is not None and self.method not in _OF_SEVERAL:
            raise DataError(
                f"linear_probe by {self.method} cannot tell several classes in one image",
                hint=f"use one of the methods {', '.join(_OF_SEVERAL)}",
            )
        model = embedder if self.features == "embedding" else embedder.using(self.features)
        rows = Rows(
            train=Learnable.of(benchmark.train, model),
            val=None if benchmark.val is None else Learnable.of(benchmark.val, model),
            test=Learnable.of(benchmark.test, model),
        )
        task = Task(class_count(benchmark), benchmark.metric, seed)
        for fitted in FITS[self.method](self, rows, benchmark.name, task, note):
            for judged in judge(fitted.scores, benchmark.test, benchmark.metric, seed):
                yield Finding(
                    split=benchmark.split,
                    metric=judged.metric + fitted.suffix,
                    value=judged.value,
                    n=len(rows.test),
                    ci95=judged.ci95,
                    outcomes=judged.outcomes,
                    classes=task.classes,
                    selection=fitted.selection,
                )
