"""Where runs were made: versions, machine and code; runs with the same ones together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from protoclip_cli.sharing.run_record import RunRecord

_OF_ONE_RUN = frozenset({"argv", "pairs"})


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment, and who ran in it."""

    values: tuple[tuple[str, str], ...]
    runs: tuple[str, ...]


def environments(runs: Sequence[RunRecord]) -> list[Environment]:
    """The different environments of runs, in the order in which they first come."""
    found: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for run in runs:
        found.setdefault(_values(run), []).append(run.label)
    return [Environment(values, tuple(labels)) for values, labels in found.items() if values]


def _values(run: RunRecord) -> tuple[tuple[str, str], ...]:
    values = []
    for key, value in run.origin.items():
        if isinstance(value, dict):
            values += [(str(inner), _text(one)) for inner, one in value.items()]
        elif key not in _OF_ONE_RUN:
            values.append((str(key), _text(value)))
    return tuple(values)


def _text(value: object) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
