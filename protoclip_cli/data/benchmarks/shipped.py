"""Benchmarks that come with protoclip: one YAML file each, checked against the data when opened."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from protoclip_cli.core.errors import DataError
from protoclip_cli.core.spec import Spec
from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.data.benchmarks.readers import READERS

_FOLDER = Path(__file__).parent


class ShippedSpec(Spec):
    """The file of a shipped benchmark."""

    about: str
    """What it is, in a sentence."""
    split: str
    """What scores call the rows that are judged."""
    metric: str
    """The number to look at first, as `probe/metric`."""
    sizes: dict[str, int]
    """Rows of each part that must be there."""
    hash: str
    """Of classes, templates and sizes. Scores before and after a change of these are not comparable."""
    reader: READERS.any  # type: ignore[name-defined]
    """How to read the data."""


def names() -> list[str]:
    """The names of all shipped benchmarks, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def shipped(name: str) -> ShippedSpec:
    """The file of a shipped benchmark."""
    text = (_FOLDER / f"{name}.yaml").read_text("utf-8")
    return ShippedSpec.model_validate(yaml.safe_load(text))


def open_shipped(name: str) -> Benchmark:
    """Open a shipped benchmark.

    Raises:
        DataError: the data is not what the file says.
    """
    spec = shipped(name)
    benchmark: Benchmark = replace(spec.reader.open(), name=name, split=spec.split)
    if (found := sizes(benchmark)) != spec.sizes:
        raise DataError(
            f"the data of benchmark {name} has {_words(found)} instead of {_words(spec.sizes)}",
            hint="scores would not be comparable; install a matplotlib or scikit-learn with the data named",
        )
    if (found_hash := content_hash(benchmark)) != spec.hash:
        raise DataError(
            f"{name}.yaml has been changed: its hash is {found_hash}, not {spec.hash}",
            hint="give a changed benchmark another name, because its scores are not comparable",
        )
    return benchmark


def sizes(benchmark: Benchmark) -> dict[str, int]:
    """How many rows each part has.

    >>> sizes(Benchmark("nothing", "test"))
    {}
    """
    parts = {"test": benchmark.test, "train": benchmark.train, "whole": benchmark.whole}
    counts = {name: len(part.rows) for name, part in parts.items() if part is not None}
    if benchmark.pairs is not None:
        counts |= {"images": len(benchmark.pairs.rows), "texts": len(benchmark.pairs.texts)}
    return counts


def content_hash(benchmark: Benchmark) -> str:
    """Twelve letters over classes, templates and sizes."""
    content: list[Any] = [benchmark.classes, benchmark.templates, sorted(sizes(benchmark).items())]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def _words(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())
