"""Which run folders a person means: paths, patterns, and folders that hold runs."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from protoclip_cli.core.errors import DataError

_RECIPE = "recipe.yaml"
_DEPTH = 3
_INSIDE_A_RUN = frozenset({"checkpoints", "logs", "bank", "prototypes", "figures", "code", "tensorboard"})


def find_runs(names: Sequence[str]) -> list[Path]:
    """The run folders that names stand for, each once.

    Args:
        names: folders of runs, folders that hold such up to three levels down, or patterns of either.

    Returns:
        In the order of the names; below one name in the order of people, `run.2` before `run.10`.

    Raises:
        DataError: a name stands for no run.
    """
    found: dict[Path, Path] = {}
    for name in names:
        runs = [run for folder in _folders(name) for run in _below(folder, _DEPTH)]
        if not runs:
            raise DataError(
                _why_none(name), hint="name what `protoclip train` made, as in runs/ or 'runs/a*'"
            )
        for run in runs:
            found.setdefault(run.resolve(), run)
    return list(found.values())


def natural(path: Path) -> list[tuple[int, str]]:
    """What sorts numbers in names by size.

    >>> [str(p) for p in sorted([Path("r.10"), Path("r.2")], key=natural)]
    ['r.2', 'r.10']
    """
    parts = re.split(r"([0-9]+)", str(path))
    return [(int(part), "") if place % 2 else (0, part) for place, part in enumerate(parts)]


def _folders(name: str) -> Iterable[Path]:
    path = Path(name).expanduser()
    if path.exists():  # a folder may be named like a pattern
        return [path]
    return sorted(map(Path, glob.glob(str(path))), key=natural)  # noqa: PTH207 (Path.glob takes no absolute pattern)


def _below(folder: Path, depth: int) -> Iterable[Path]:
    if (folder / _RECIPE).is_file():
        return [folder]
    if depth == 0 or not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        inner = [
            Path(entry.path)
            for entry in entries
            if entry.is_dir() and entry.name not in _INSIDE_A_RUN and not entry.name.startswith(".")
        ]
    return [run for path in sorted(inner, key=natural) for run in _below(path, depth - 1)]


def _why_none(name: str) -> str:
    path = Path(name).expanduser()
    if not path.exists():
        return f"there is no {name}"
    return f"{name} is no run, and none is below it: there is no {_RECIPE}"
