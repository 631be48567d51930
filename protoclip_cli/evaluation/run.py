"""All probes on all their benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks import BenchmarkRef
from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.evaluation.embedder import Embedder
from protoclip_cli.evaluation.opened import OpenedBenchmarks, sentence
from protoclip_cli.evaluation.probes.base import Note, ProbeSpec
from protoclip_cli.evaluation.score import Score


def run_probes(
    probes: Iterable[ProbeSpec],
    open_benchmark: Callable[[BenchmarkRef], Benchmark] | OpenedBenchmarks,
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
        open_benchmark: makes a benchmark of its name or spec; or benchmarks that are opened already.
        embedder: the model. Wrap it in a `CachedEmbedder`, or every probe embeds everything again.
        seed: of every choice that is left to chance.
        note: takes one sentence for the user.
        episode: when in training, for the score rows.
        step: when in training, for the score rows.
    """
    opened = (
        open_benchmark
        if isinstance(open_benchmark, OpenedBenchmarks)
        else OpenedBenchmarks(open_benchmark, note)
    )
    told: set[str] = set()
    for probe in probes:
        for ref in probe.refs:
            if (benchmark := opened(ref)) is None:
                continue
            try:
                scores = probe.run(benchmark, embedder, seed, note)
            except DataError as error:
                if (why := sentence(error)) not in told:
                    told.add(why)
                    note(why)
                continue
            for score in scores:
                yield replace(score, episode=episode, step=step)
