"""Groups of runs: the same recipe with several seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from protoclip_cli.core.errors import UsageError
from protoclip_cli.sharing.recipe_difference import shape_of
from protoclip_cli.sharing.run_record import RunRecord
from protoclip_cli.sharing.score_series import ScoreKey, ScoreSeries

_LINKING = ".-_ =/"
_SEED = "seed"


@dataclass(frozen=True, slots=True)
class Group:
    """Runs whose recipes differ in nothing but seed and name."""

    name: str
    runs: tuple[RunRecord, ...]

    def by_seed(self, key: ScoreKey) -> dict[str, list[ScoreSeries]]:
        """The series of a score by the seed of training; runs of no known seed stand alone."""
        found: dict[str, list[ScoreSeries]] = {}
        for run in self.runs:
            if key in run.scores:
                found.setdefault(run.label if run.seed is None else str(run.seed), []).append(run.scores[key])
        return found

    @property
    def seeds(self) -> int:
        """How many different seeds there are."""
        return len({run.label if run.seed is None else run.seed for run in self.runs})


def group_runs(runs: Sequence[RunRecord]) -> list[Group]:
    """Group runs, in the order of their first ones. A run without a readable recipe stands alone."""
    members: dict[str, list[RunRecord]] = {}
    for run in runs:
        members.setdefault(shape_of(run.recipe) if run.recipe else f"alone {run.label}", []).append(run)
    found = list(members.values())
    return [Group(name, tuple(inner)) for name, inner in zip(_names(found), found, strict=True)]


def find_group(groups: Sequence[Group], name: str) -> Group:
    """The group of a name, or of a run's name or path.

    Raises:
        UsageError: there is none, or there are several.
    """
    wanted = name.rstrip("/")
    named = [group for group in groups if group.name == wanted]
    holding = [group for group in groups if any(wanted in _names_of(run) for run in group.runs)]
    found = named or holding
    if len(found) == 1:
        return found[0]
    known = ", ".join(group.name for group in groups[:10]) + (", ..." if len(groups) > 10 else "")
    what = "is no group or run here" if not found else "is the name of several"
    raise UsageError(f"--baseline {name} {what}", hint=f"groups: {known}")


def _names_of(run: RunRecord) -> tuple[str, ...]:
    return run.label, run.path.name, str(run.path), str(run.recipe.get("name"))


def _names(groups: Sequence[Sequence[RunRecord]]) -> list[str]:
    """A name for each: its run's, its recipe's, or what its runs' names begin with; none twice."""
    of_recipes = [{str(run.recipe.get("name", "")) for run in runs} for runs in groups]
    shared = Counter(name for names in of_recipes for name in names)
    names = []
    for runs, recipes in zip(groups, of_recipes, strict=True):
        recipe = next(iter(recipes)) if len(recipes) == 1 else ""
        beginning = _beginning([run.label for run in runs])
        beginning = beginning.rstrip(_LINKING).removesuffix(_SEED).rstrip(_LINKING)
        if len(runs) == 1:
            names.append(runs[0].label)
        elif recipe and shared[recipe] == 1:
            names.append(recipe)
        else:
            names.append(beginning or recipe or runs[0].label)
    return _numbered(names)


def _beginning(names: Sequence[str]) -> str:
    """What all names begin with.

    >>> _beginning(["run.0", "run.1"])
    'run.'
    """
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return "".join(letters[0] for letters in same)


def _numbered(names: Sequence[str]) -> list[str]:
    """Names made different.

    >>> _numbered(["a", "b", "a"])
    ['a', 'b', 'a #2']
    """
    given: dict[str, None] = {}
    for name in names:
        mine, number = name, 1
        while mine in given:
            number += 1
            mine = f"{name} #{number}"
        given[mine] = None
    return list(given)
