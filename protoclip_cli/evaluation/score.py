"""A score: one number about one model, and the row of `scores.jsonl` it is written as."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.core.errors import DataError, ProtoclipError

VERSION = 1
Selection = Literal["none", "validation", "test"]
"""On what the settings behind a score were chosen."""
Identity = tuple[str, str, str, str, str, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One number. The order of the fields is that of the keys in a row."""

    v: int = VERSION
    probe: str
    benchmark: str
    split: str
    metric: str
    value: float
    """A fraction, never percent."""
    higher_is_better: bool = True
    n: int
    """How many images or texts were judged."""
    ci95: tuple[float, float] | None = None
    """None where no interval is known, as for the agreement of clusters."""
    classes: int | None = None
    prompts_hash: str | None = None
    model_hash: str
    transform: str
    precision: str
    seed: int
    episode: int | None = None
    step: int | None = None
    selection: Selection = "none"
    seconds: float
    """How long the probe took on this benchmark, all its metrics together."""
    outcomes: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    """(n,), what each example contributes; kept beside the rows, not in them."""

    def __post_init__(self) -> None:
        """Refuse a number that JSON could not hold and nobody could compare."""
        if not math.isfinite(self.value):
            raise ProtoclipError(f"{self.probe} on {self.benchmark}: {self.metric} is {self.value}")

    @property
    def identity(self) -> Identity:
        """What makes a later row replace this one."""
        return (
            self.probe,
            self.benchmark,
            self.split,
            self.metric,
            self.model_hash,
            self.selection,
            self.seed,
        )

    def row(self) -> dict[str, Any]:
        """The score as JSON has it."""
        row = asdict(replace(self, outcomes=None)) | {"ci95": None if self.ci95 is None else list(self.ci95)}
        return {key: row[key] for key in _KEYS}

    def line(self) -> str:
        """The row as one line of `scores.jsonl`, without the line break."""
        return json.dumps(self.row(), allow_nan=False)

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Score:
        """The score of a row.

        Raises:
            DataError: it is of a later version or lacks a key.
        """
        if row.get("v") != VERSION:
            raise DataError(
                f"a score of version {row.get('v')}, and this protoclip reads version {VERSION}",
                hint="use the version of protoclip that wrote it, or evaluate again",
            )
        if missing := sorted(_KEYS.keys() - row.keys()):
            raise DataError(f"a score lacks {', '.join(missing)}", hint="evaluate again")
        interval = row["ci95"]
        values = {key: row[key] for key in _KEYS} | {"ci95": None if interval is None else tuple(interval)}
        return cls(**values)


_KEYS = {each.name: None for each in fields(Score) if each.name != "outcomes"}
"""The keys of a row, in their order."""


def read_scores(lines: Iterable[str]) -> list[Score]:
    """The scores in the lines of a `scores.jsonl`, in their order, repeated ones included.

    Raises:
        DataError: a line is not a score; the message says which.
    """
    scores = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(
                f"line {number} of the scores is not JSON: {error}", hint="remove the line"
            ) from error
        if not isinstance(row, dict):
            raise DataError(f"line {number} of the scores is not a score", hint="remove the line")
        try:
            scores.append(Score.from_row(row))
        except DataError as error:
            raise DataError(f"line {number} of the scores: {error}", hint=error.hint) from error
    return scores


def latest(scores: Iterable[Score]) -> list[Score]:
    """One score per identity, the last one, where the first one stood."""
    return list({score.identity: score for score in scores}.values())
