"""Benchmarks that protoclip knows by name: one YAML file each, checked against the data when opened."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import Field, field_validator

from protoclip_cli.core.errors import DataError
from protoclip_cli.core.spec import Spec
from protoclip_cli.data.benchmarks.base import Benchmark, Metric
from protoclip_cli.data.benchmarks.readers import READERS
from protoclip_cli.data.benchmarks.readers.base import ReaderSpec

_FOLDER = Path(__file__).parent
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The one in C takes a seventh of the time."""


class ShippedSpec(Spec):
    """The file of a shipped benchmark."""

    about: str
    """What it is, in a sentence."""
    groups: tuple[str, ...] = ()
    """Lists of benchmarks that it is on: those of a paper, a tool or a purpose."""
    split: str
    """What scores call the rows that are judged."""
    metric: str
    """The number to look at first, as `probe/metric`."""
    number_of_classes: int | None = None
    """How many classes there are. Left out: none, or as many as the reader lists."""
    sizes: dict[str, int] = Field(default_factory=dict)
    """Rows of each part that must be there. One that is left out is not checked, because no one has published
    how large it is."""
    hash: str | None = None
    """Of classes, templates and sizes. Scores before and after a change of these are not comparable. Left
    out: the classes are known from the data only."""
    clip_benchmark: dict[str, str] = Field(default_factory=dict)
    """What clip-benchmark calls its lists of `names` in the order of these labels, and of `templates`."""
    reader: READERS.any  # type: ignore[name-defined]
    """How to read the data."""
    also: tuple[READERS.any, ...] = ()  # type: ignore[name-defined]
    """Other forms in which people keep the same images, tried in order."""

    @field_validator("metric")
    @classmethod
    def _has_probe(cls, value: str) -> str:
        probe, _, metric = value.partition("/")
        if not metric or (probe == "zero_shot" and metric not in get_args(Metric)):
            raise ValueError(f"'{value}' is not `probe/metric` with one of {', '.join(get_args(Metric))}")
        return value

    @property
    def readers(self) -> tuple[ReaderSpec, ...]:
        """All forms in which the data may be."""
        return (self.reader, *self.also)


def data_root(root: Path | str | None = None) -> Path:
    """Where data sets are: as given, or PROTOCLIP_DATA, or `data` in the current folder."""
    return Path(root or os.environ.get("PROTOCLIP_DATA") or "data").expanduser()


def names() -> list[str]:
    """The names of all shipped benchmarks, sorted."""
    return sorted(_paths())


def shipped(name: str) -> ShippedSpec:
    """The file of a shipped benchmark."""
    text = _paths()[name].read_text("utf-8")
    return ShippedSpec.model_validate(yaml.load(text, _Loader))


def keys_in_clip_benchmark(name: str) -> dict[str, str]:
    """What clip-benchmark calls its lists for a shipped benchmark."""
    return shipped(name).clip_benchmark


def groups() -> dict[str, list[str]]:
    """The names of the benchmarks of every group, sorted."""
    found: dict[str, list[str]] = {}
    for name in names():
        for group in shipped(name).groups:
            found.setdefault(group, []).append(name)
    return dict(sorted(found.items()))


def open_shipped(name: str, root: Path | None = None) -> Benchmark:
    """Open a shipped benchmark.

    Args:
        name: of its file.
        root: where data sets are, see `data_root`.

    Raises:
        DataError: the data is missing, or is not what the file says.
    """
    spec = shipped(name)
    reader = present(spec, data_root(root))
    primary = get_metric(spec)
    opened: Benchmark = reader.open()
    benchmark = replace(opened, name=name, split=spec.split, metric=primary or opened.metric)
    benchmark = _sized(benchmark, spec)
    if spec.number_of_classes is not None and len(benchmark.classes) != spec.number_of_classes:
        raise DataError(
            f"the data of {name} has {len(benchmark.classes)} classes instead of {spec.number_of_classes}",
            hint="a class folder may be missing or be one too many: " + reader.layout,
        )
    if spec.hash is not None and reader == spec.reader.below(data_root(root)):
        found = content_hash(benchmark, spec.sizes)
        if found != spec.hash:
            raise DataError(
                f"{name}.yaml, or a list it takes from a package, has been changed: its hash is {found}, "
                f"not {spec.hash}",
                hint="give a changed benchmark another name, because its scores are not comparable",
            )
    return benchmark


def present(spec: ShippedSpec, root: Path) -> ReaderSpec:
    """The first reader whose data is there.

    Raises:
        DataError: none is. The hint says what to put where.
    """
    readers = [reader.below(root) for reader in spec.readers]
    for reader in readers:
        if not reader.missing():
            return reader
    layouts = " - or ".join(dict.fromkeys(reader.layout for reader in readers))
    raise DataError(f"there is no {readers[0].missing()[0]}", hint=layouts)


def get_metric(spec: ShippedSpec) -> Metric | None:
    """How a benchmark with classes is judged. None: it has none, or its first number is of another probe."""
    found = spec.metric.partition("/")[2]
    return next((metric for metric in get_args(Metric) if metric == found), None)


def sizes(benchmark: Benchmark) -> dict[str, int]:
    """How many rows each part has.

    >>> sizes(Benchmark("nothing", "test"))
    {}
    """
    parts = {
        "test": benchmark.test,
        "train": benchmark.train,
        "val": benchmark.val,
        "whole": benchmark.whole,
    }
    counts = {name: len(part.rows) for name, part in parts.items() if part is not None}
    if benchmark.pairs is not None:
        counts |= {"images": len(benchmark.pairs.rows), "texts": len(benchmark.pairs.texts)}
    if benchmark.texts is not None:
        counts |= benchmark.texts.sizes()
    return counts


def content_hash(benchmark: Benchmark, expected: dict[str, int]) -> str:
    """Twelve letters over classes, templates and sizes.

    Args:
        benchmark: whose classes and templates count.
        expected: rows of each part, as its file has them.
    """
    content: list[Any] = [benchmark.classes, benchmark.templates, sorted(expected.items())]
    if benchmark.synonyms:
        content.append(benchmark.synonyms)
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def _sized(benchmark: Benchmark, spec: ShippedSpec) -> Benchmark:
    """The benchmark without parts to fit on that are not whole.

    Fewer or more rows to score than there should be are an error: their score would go by a name that
    promises others. Rows to fit on may be missing, because much can be scored without.
    """
    found = sizes(benchmark)
    wrong = {part: count for part, count in found.items() if spec.sizes.get(part, count) != count}
    if scored := {part: count for part, count in wrong.items() if part not in {"train", "val"}}:
        expected = {part: spec.sizes[part] for part in scored}
        raise DataError(
            f"the data of benchmark {benchmark.name} has {_words(scored)} instead of {_words(expected)}",
            hint="scores would not be comparable; to score other rows, give them as data of your own",
        )
    notes = [
        f"{count:,} rows of {part} instead of {spec.sizes[part]:,} are left out, so nothing is fitted on them"
        for part, count in wrong.items()
    ]
    if benchmark.texts is None and not {"test", "whole", "images"} & spec.sizes.keys():
        notes.append(f"{_words(found)}: nobody has published how many there should be")
    return replace(
        benchmark,
        notes=(*benchmark.notes, *notes),
        train=None if "train" in wrong else benchmark.train,
        val=None if "val" in wrong else benchmark.val,
    )


def _words(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def _paths() -> dict[str, Path]:
    """The file of every benchmark, by name."""
    return {path.stem: path for path in _FOLDER.rglob("*.yaml")}
