"""All probes on all their benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from protoclip_cli.core.errors import DataError, MissingExtra
from protoclip_cli.data.benchmarks import BenchmarkRef, label
from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.evaluation.embedder import Embedder
from protoclip_cli.evaluation.probes.base import Note, ProbeSpec
from protoclip_cli.evaluation.score import Score


def run_probes(
    probes: Iterable[ProbeSpec],
    open_benchmark: Callable[[BenchmarkRef], Benchmark],
    embedder: Embedder,
    *,
    seed: int,
    note: Note,
    episode: int | None = None,
    step: int | None = None,
) -> Iterator[Score]:
    """Scores, probe by probe in the given order, and benchmark by benchmark in the order of each probe.

    What cannot be is told to `note` and left out: a probe that a benchmark gives nothing to work on, and a
    benchmark whose data is missing or broken. Everything else goes on.

    Args:
        probes: what to run.
        open_benchmark: makes a benchmark of its name or spec.
        embedder: the model. Wrap it in a `CachedEmbedder`, or every probe embeds everything again.
        seed: of every choice that is left to chance.
        note: takes one sentence for the user.
        episode: when in training, for the score rows.
        step: when in training, for the score rows.
    """
    opened = _Opened(open_benchmark, note)
    for probe in probes:
        for ref in probe.default_benchmarks if probe.benchmarks is None else probe.benchmarks:
            if (benchmark := opened(ref)) is None:
                continue
            try:
                scores = probe.run(benchmark, embedder, seed, note)
            except DataError as error:
                note(_sentence(error))
                continue
            for score in scores:
                yield replace(score, episode=episode, step=step)


class _Opened:
    """Benchmarks that are open already, so that each is opened, and complained about, once."""

    def __init__(self, open_benchmark: Callable[[BenchmarkRef], Benchmark], note: Note) -> None:
        self._open = open_benchmark
        self._note = note
        self._known: dict[str, Benchmark | None] = {}
        self._labels: set[str] = set()

    def __call__(self, ref: BenchmarkRef) -> Benchmark | None:
        key = ref if isinstance(ref, str) else ref.model_dump_json()
        if key not in self._known:
            self._known[key] = self._try(ref)
        return self._known[key]

    def _try(self, ref: BenchmarkRef) -> Benchmark | None:
        if (name := label(ref)) in self._labels:
            self._note(f"{name} is left out: another benchmark has that name (give this one a `name`)")
            return None
        self._labels.add(name)
        try:
            benchmark = self._open(ref)
        except (DataError, MissingExtra) as error:
            self._note(f"{name} is left out: {_sentence(error)}")
            return None
        for message in benchmark.notes:
            self._note(f"{name}: {message}")
        return benchmark


def _sentence(error: DataError | MissingExtra) -> str:
    return f"{error} ({error.hint})" if error.hint else str(error)
