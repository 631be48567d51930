"""Benchmarks that are open, for all probes and models that want them."""

from __future__ import annotations

from collections.abc import Callable

from protoclip_cli.compute.processes import fail_together
from protoclip_cli.core.errors import DataError, MissingExtra
from protoclip_cli.data.benchmarks import BenchmarkRef, label
from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.evaluation.probes.base import Note


class OpenedBenchmarks:
    """Opens each benchmark once, and complains once of each that is missing."""

    def __init__(self, open_benchmark: Callable[[BenchmarkRef], Benchmark], note: Note) -> None:
        """Start with none.

        Args:
            open_benchmark: makes a benchmark of its name or spec.
            note: takes one sentence for the user.
        """
        self.missing: dict[str, str] = {}
        """Why, by the name of each benchmark that could not be opened."""
        self.latest = ""
        """The name of the one that was asked for last."""
        self._open = open_benchmark
        self._note = note
        self._known: dict[str, Benchmark | None] = {}
        self._labels: set[str] = set()

    def __call__(self, ref: BenchmarkRef) -> Benchmark | None:
        """The benchmark; None if it is missing, which has been said."""
        self.latest = label(ref)
        key = ref if isinstance(ref, str) else ref.model_dump_json()
        if key not in self._known:
            self._known[key] = self._try(ref)
        return self._known[key]

    def _try(self, ref: BenchmarkRef) -> Benchmark | None:
        if (name := label(ref)) in self._labels:
            self._note(f"{name} is left out: another benchmark has that name (give this one a `name`)")
            return None
        self._labels.add(name)
        benchmark: Benchmark | None = None
        error: DataError | MissingExtra | None = None
        try:
            benchmark = self._open(ref)
        except (DataError, MissingExtra) as met:
            error = met
        try:
            fail_together(error)  # what one process misses, all leave out
        except (DataError, MissingExtra) as met:
            self.missing[name] = sentence(met)
            self._note(f"{name} is left out: {sentence(met)}")
            return None
        assert benchmark is not None
        for message in benchmark.notes:
            self._note(f"{name}: {message}")
        return benchmark


def sentence(error: DataError | MissingExtra) -> str:
    """An error as one sentence."""
    return f"{error} ({error.hint})" if error.hint else str(error)
