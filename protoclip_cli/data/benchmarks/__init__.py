"""Benchmarks: data sets to evaluate on. A file `<name>.yaml` below here is one that protoclip ships."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from pydantic import WrapValidator
from pydantic.functional_validators import ModelWrapValidatorHandler

from protoclip_cli.core.errors import UsageError
from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.data.benchmarks.listing import Listing, listing
from protoclip_cli.data.benchmarks.other_prompts import with_names, with_templates
from protoclip_cli.data.benchmarks.readers import READERS
from protoclip_cli.data.benchmarks.readers.base import ReaderSpec
from protoclip_cli.data.benchmarks.shipped import (
    data_root,
    groups,
    keys_in_clip_benchmark,
    names,
    open_shipped,
)


def _parse(value: Any, handler: ModelWrapValidatorHandler[Any]) -> str | ReaderSpec:
    if isinstance(value, str):
        if value not in (known := names()):
            raise ValueError(f"unknown benchmark '{value}'; {_advice(value, known)}")
        return value
    return READERS.parse(value, handler)


_AnyReader: Any = READERS.any
BenchmarkRef = Annotated[str | _AnyReader, WrapValidator(_parse)]
"""The name of a shipped benchmark, or a mapping with the `kind` of a reader."""


def open_benchmark(
    ref: str | ReaderSpec,
    root: Path | None = None,
    *,
    class_names: str | None = None,
    templates: str | None = None,
) -> Benchmark:
    """Open a benchmark.

    Args:
        ref: a name, or a reader.
        root: where the data sets of shipped benchmarks are, see `data_root`. Paths of a reader stay.
        class_names: `clip_benchmark`, or a JSON file of {benchmark: [names]}: other names than its own.
        templates: `clip_benchmark`, or a JSON file of {benchmark: [templates]} or
            {benchmark: {class: [prompts]}}: other templates than its own.

    Raises:
        UsageError: no benchmark of that name is shipped.
        DataError: its data is missing or is not what it should be.
        MissingExtra: it needs a package that is not installed.
    """
    keys: dict[str, str] = {}
    if isinstance(ref, ReaderSpec):
        benchmark = ref.open()
    elif ref not in (known := names()):
        raise UsageError(f"there is no benchmark '{ref}'", hint=_advice(ref, known))
    else:
        benchmark = open_shipped(ref, root)
        keys = keys_in_clip_benchmark(ref)
    if class_names is not None:
        benchmark = with_names(benchmark, class_names, keys)
    return benchmark if templates is None else with_templates(benchmark, templates, keys)


def group(name: str) -> list[str]:
    """The names of the benchmarks of a group, sorted.

    Raises:
        UsageError: there is no such group.
    """
    if name not in (known := groups()):
        raise UsageError(f"there is no group '{name}'", hint=_advice(name, list(known)))
    return known[name]


def label(ref: str | ReaderSpec) -> str:
    """What scores call the benchmark."""
    return ref if isinstance(ref, str) else ref.label


def _advice(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"did you mean '{close[0]}'?" if close else f"choose from {', '.join(known)}"


__all__ = [
    "READERS",
    "Benchmark",
    "BenchmarkRef",
    "Listing",
    "ReaderSpec",
    "data_root",
    "group",
    "groups",
    "label",
    "listing",
    "names",
    "open_benchmark",
]
