"""What a person should know about a comparison before believing it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from protoclip_cli.sharing.comparison import Comparison
from protoclip_cli.sharing.grouping import Group
from protoclip_cli.sharing.numbers import short

_LISTED = 5


def remarks(comparison: Comparison) -> Iterator[str]:
    """Sentences, the most general first."""
    runs, groups = comparison.runs, comparison.groups
    yield from _those("without scores", [run.label for run in runs if not run.scores])
    yield from _those("not finished", [run.label for run in runs if run.state != "finished"])
    yield from _those("with files that cannot be read in full", _problems(comparison))
    twice, uneven = ([g.name for g in groups if has(g)] for has in (_twice, _uneven))
    yield from _those("with several runs of one seed, which count once", twice, "group")
    yield from _those("with runs scored at different steps", uneven, "group")
    if comparison.baseline is not None:
        scored = [group for group in groups if any(run.scores for run in group.runs)]
        compared = {name for line in comparison.lines for name in line.differences}
        lonely = [g.name for g in scored if g.name not in compared | {comparison.baseline.name}]
        yield from _those("without a seed and a score in common with the baseline", lonely, "group")


def _problems(comparison: Comparison) -> list[str]:
    return [f"{run.label} ({'; '.join(run.problems)})" for run in comparison.runs if run.problems]


def _twice(group: Group) -> bool:
    return max(Counter(run.seed for run in group.runs if run.seed is not None).values(), default=0) > 1


def _uneven(group: Group) -> bool:
    return len({max(s.last_step for s in run.scores.values()) for run in group.runs if run.scores}) > 1


def _those(what: str, names: Sequence[str], kind: str = "run") -> Iterator[str]:
    if names:
        more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
        many = "" if len(names) == 1 else "s"
        yield f"{len(names):,} {kind}{many} {what}: {', '.join(map(short, names[:_LISTED]))}{more}"
