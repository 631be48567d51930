"""Groups of runs side by side: every score with its interval and its difference to a baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from statistics import fmean

from protoclip_cli.compute.randomness import generator
from protoclip_cli.metrics.confidence import of_paired_outcomes
from protoclip_cli.metrics.student import Paired, of_few, paired
from protoclip_cli.sharing.grouping import Group
from protoclip_cli.sharing.run_record import RunRecord
from protoclip_cli.sharing.score_series import ScoreKey, ScoreSeries

Pick = Callable[[ScoreSeries], float]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the seeds of a group say about one score."""

    mean: float
    ci95: tuple[float, float] | None
    """Over seeds, by Student; of a single seed that over examples, where evaluation gave one."""
    over: str | None
    """What the interval is over: `seeds`, `examples`, or None."""
    by_seed: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Line:
    """One score of all groups."""

    key: ScoreKey
    higher_is_better: bool
    final: Mapping[str, Estimate]
    """By group; a group none of whose runs has the score is left out."""
    best: Mapping[str, Estimate]
    """Where more than one step was evaluated; chosen by looking at the scores themselves."""
    differences: Mapping[str, Paired]
    """Of final values to the baseline, paired by seed; by group."""
    benchmarks: tuple[str, ...] = ()
    """Of an average: over what."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All there is to say about the scores of groups."""

    groups: tuple[Group, ...]
    baseline: Group | None
    lines: tuple[Line, ...]
    averages: tuple[Line, ...] = field(default=())
    """Only over benchmarks that all runs with scores have."""

    @property
    def runs(self) -> list[RunRecord]:
        """All runs, in the order of the groups."""
        return [run for group in self.groups for run in group.runs]


def compare(groups: Sequence[Group], baseline: Group | None, patterns: Sequence[str] = ()) -> Comparison:
    """Compare groups.

    Args:
        groups: of runs.
        baseline: one of them, which differences are to.
        patterns: keep scores whose `probe/benchmark/metric` fits one of these. None: all.
    """
    keys = _in_order(run.scores for group in groups for run in group.runs)
    keys = [key for key in keys if _fits(key, patterns)]
    lines = tuple(_line(key, groups, baseline) for key in keys)
    return Comparison(tuple(groups), baseline, lines, tuple(_averages(groups, baseline, keys)))


def _fits(key: ScoreKey, patterns: Sequence[str]) -> bool:
    name = f"{key.probe}/{key.benchmark}/{key.metric}"
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _in_order(scores: Iterable[Mapping[ScoreKey, ScoreSeries]]) -> list[ScoreKey]:
    """All keys: probes in the order they first come, within them benchmarks, within these metrics."""
    keys = list(dict.fromkeys(key for of_run in scores for key in of_run))
    places: list[dict[str, int]] = [{}, {}]
    for key in keys:
        for place, name in zip(places, key[:2], strict=True):
            place.setdefault(name, len(place))
    return sorted(keys, key=lambda key: (places[0][key.probe], places[1][key.benchmark]))


def _line(key: ScoreKey, groups: Sequence[Group], baseline: Group | None) -> Line:
    found = {group.name: group.by_seed(key) for group in groups}
    found = {name: seeds for name, seeds in found.items() if seeds}
    series = [one for seeds in found.values() for inner in seeds.values() for one in inner]
    several = any(len(one.values) > 1 for one in series)
    final = {name: _estimate(seeds, lambda one: one.final) for name, seeds in found.items()}
    best = {name: _estimate(seeds, lambda one: one.best) for name, seeds in found.items()} if several else {}
    differences = _differences(final, baseline)
    for group in groups:
        if baseline is not None and (one := differences.get(group.name)) and one.n == 1:
            differences[group.name] = _over_examples(key, group, baseline, one)
    return Line(key, series[0].higher_is_better, final, best, differences)


def _over_examples(key: ScoreKey, group: Group, baseline: Group, found: Paired) -> Paired:
    """The difference of one pair of runs, by the examples both were asked, where outcomes are kept."""
    runs = [[run for run in one.runs if key in run.scores] for one in (group, baseline)]
    if any(len(several) != 1 for several in runs):
        return found
    mine, theirs = (run.outcomes(key) for (run,) in runs)
    if mine is None or theirs is None or len(mine) != len(theirs):
        return found
    chance = generator(0, "paired outcomes", len(mine))
    over = of_paired_outcomes(mine, theirs, chance)
    return Paired(found.mean, over.ci95, over.p, 1, "examples")


def _estimate(seeds: Mapping[str, Sequence[ScoreSeries]], pick: Pick) -> Estimate:
    """Runs of the same seed count once: copies of a run must not make an interval narrow."""
    by_seed = {seed: fmean(map(pick, series)) for seed, series in seeds.items()}
    mean = fmean(by_seed.values())
    if len(by_seed) > 1:
        return Estimate(mean, of_few(list(by_seed.values())), "seeds", by_seed)
    alone = next(iter(seeds.values()))
    if len(alone) == 1 and alone[0].ci95 is not None and pick(alone[0]) == alone[0].final:
        return Estimate(mean, alone[0].ci95, "examples", by_seed)
    return Estimate(mean, None, None, by_seed)


def _differences(final: Mapping[str, Estimate], baseline: Group | None) -> dict[str, Paired]:
    if baseline is None or baseline.name not in final:
        return {}
    base, found = final[baseline.name].by_seed, {}
    for name, estimate in final.items():
        seeds = [seed for seed in estimate.by_seed if seed in base]
        if name != baseline.name and seeds:
            found[name] = paired([estimate.by_seed[seed] for seed in seeds], [base[seed] for seed in seeds])
    return found


def _averages(groups: Sequence[Group], baseline: Group | None, keys: Sequence[ScoreKey]) -> Iterable[Line]:
    """Means over benchmarks of the same probe, metric and selection that all runs with scores have."""
    scored = [run for group in groups for run in group.runs if run.scores]
    together: dict[tuple[str, str, str], list[ScoreKey]] = {}
    for key in keys:
        if all(key in run.scores for run in scored):
            together.setdefault((key.probe, key.metric, key.selection), []).append(key)
    for (probe, metric, selection), shared in together.items():
        if len(shared) < 2:
            continue
        name = ScoreKey(probe, f"mean of {len(shared)}", "", metric, selection)
        final = {}
        for group in groups:
            runs = [run for run in group.runs if run.scores]
            means = {run.label: fmean(run.scores[key].final for key in shared) for run in runs}
            if means:
                final[group.name] = _of_means(runs, means)
        higher = scored[0].scores[shared[0]].higher_is_better
        benchmarks = tuple(dict.fromkeys(key.benchmark for key in shared))
        yield Line(name, higher, final, {}, _differences(final, baseline), benchmarks)


def _of_means(runs: Sequence[RunRecord], means: Mapping[str, float]) -> Estimate:
    by_seed: dict[str, list[float]] = {}
    for run in runs:
        by_seed.setdefault(run.label if run.seed is None else str(run.seed), []).append(means[run.label])
    values = {seed: fmean(inner) for seed, inner in by_seed.items()}
    interval = of_few(list(values.values()))
    return Estimate(fmean(values.values()), interval, "seeds" if interval else None, values)
