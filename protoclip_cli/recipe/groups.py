"""Names that stand for several: groups of benchmarks, and shipped recipes as tasks."""

from __future__ import annotations

from typing import Any

from protoclip_cli.data.benchmarks import groups, names
from protoclip_cli.recipe.shipped import shipped
from protoclip_cli.recipe.yaml_file import read_yaml


def is_group(name: str) -> bool:
    """Whether a name stands for several benchmarks."""
    return name not in names() and name in groups()


def benchmarks_of(group: str) -> list[str]:
    """The names of the benchmarks of a group.

    Raises:
        ValueError: there is no such group.
    """
    known = groups()
    if group not in known:
        raise ValueError(f"there is no group of benchmarks '{group}'; choose from {', '.join(known)}")
    return known[group]


def task_lists() -> list[str]:
    """Shipped recipes of `protoclip evaluate`, which can stand among tasks by their name."""
    return [name.removeprefix("evaluate/") for name in shipped() if name.startswith("evaluate/")]


def tasks_of(name: str) -> dict[str, Any]:
    """The tasks of a shipped recipe."""
    path = shipped()[f"evaluate/{name}"]
    return dict(named_tasks(read_yaml(path.read_text("utf-8"), str(path)).tree["tasks"]))


def named_tasks(tasks: Any) -> Any:
    """Tasks as a recipe may write them, as a mapping from names to whole probes.

    A list holds kinds of probes and names of shipped recipes. In a mapping, a name is a kind where none is
    given, and `benchmarks` may be the name of a group.
    """
    if isinstance(tasks, list):
        tasks = _from_list([str(name) for name in tasks])
    if not isinstance(tasks, dict):
        return tasks
    return {name: _whole(name, probe) for name, probe in tasks.items()}


def _from_list(names: list[str]) -> dict[str, Any]:
    from protoclip_cli.evaluation.probes import PROBES

    kinds, lists = PROBES.kinds(), task_lists()
    found: dict[str, Any] = {}
    for name in names:
        if name in kinds or name not in lists:
            found[name] = {}
            continue
        for task, probe in tasks_of(name).items():
            found[task if len(names) == 1 else f"{name}/{task}"] = probe
    return found


def _whole(name: str, probe: Any) -> Any:
    if not isinstance(probe, dict | None):
        return probe
    probe = {"kind": name, **(probe or {})}
    if isinstance(group := probe.get("benchmarks"), str):
        probe["benchmarks"] = benchmarks_of(group)
    return probe
