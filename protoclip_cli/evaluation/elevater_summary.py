"""The summary of ELEVATER's twenty scores: their plain mean, and a table of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from protoclip_cli.core.errors import DataError
from protoclip_cli.evaluation.elevater_datasets import ELEVATER
from protoclip_cli.store.files import write_json, write_text


def summarise(values: Mapping[str, float], expected: Iterable[str] = ELEVATER) -> dict[str, Any]:
    """The primary score of every data set, and their plain mean.

    The toolkit counts a data set that failed as 0; here a missing one is an error.

    Args:
        values: fractions by name of the data set.
        expected: which data sets there must be.

    Raises:
        DataError: one is missing.

    >>> summarise({"dtd": 0.25, "mnist": 0.75}, ["dtd", "mnist"])["average"]
    0.5
    """
    names = list(expected)
    if missing := [name for name in names if name not in values]:
        raise DataError(
            f"{len(missing)} of {len(names)} data sets have no score: {', '.join(missing)}",
            hint="evaluate these too; an average over the others would not be ELEVATER's",
        )
    metrics = {name: ELEVATER[name].metric for name in names}
    rows = [{"dataset": name, "metric": metrics[name], "value": float(values[name])} for name in names]
    return {"datasets": rows, "average": float(np.mean([row["value"] for row in rows]))}


def write_summary(folder: Path, values: Mapping[str, float]) -> dict[str, Any]:
    """Write `summary.json` and `summary.csv`, and return what they hold.

    Raises:
        DataError: a data set is missing; nothing is written.
    """
    summary = summarise(values)
    folder.mkdir(parents=True, exist_ok=True)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["dataset", "metric", "value"])
    writer.writerows([row["dataset"], row["metric"], row["value"]] for row in summary["datasets"])
    writer.writerow(["average", "", summary["average"]])
    write_json(folder / "summary.json", summary)
    write_text(folder / "summary.csv", text.getvalue())
    return summary
