"""Benchmarks: data sets to evaluate on. A file `<name>.yaml` here is one that protoclip ships."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import WrapValidator
from pydantic.functional_validators import ModelWrapValidatorHandler

from protoclip_cli.core.errors import UsageError
from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.data.benchmarks.readers import READERS
from protoclip_cli.data.benchmarks.readers.base import ReaderSpec
from protoclip_cli.data.benchmarks.shipped import names, open_shipped


def _parse(value: Any, handler: ModelWrapValidatorHandler[Any]) -> str | ReaderSpec:
    if isinstance(value, str):
        if value not in (known := names()):
            close = get_close_matches(value, known, n=1)
            advice = f"did you mean '{close[0]}'?" if close else f"choose from {', '.join(known)}"
            raise ValueError(f"unknown benchmark '{value}'; {advice}")
        return value
    return READERS.parse(value, handler)


_AnyReader: Any = READERS.any
BenchmarkRef = Annotated[str | _AnyReader, WrapValidator(_parse)]
"""The name of a shipped benchmark, or a mapping with the `kind` of a reader."""


def open_benchmark(ref: str | ReaderSpec) -> Benchmark:
    """Open a benchmark.

    Raises:
        UsageError: no benchmark of that name is shipped.
        DataError: its data is missing or is not what it should be.
    """
    if isinstance(ref, ReaderSpec):
        return ref.open()
    if ref not in names():
        raise UsageError(f"there is no benchmark '{ref}'", hint=f"choose from {', '.join(names())}")
    return open_shipped(ref)


def label(ref: str | ReaderSpec) -> str:
    """What scores call the benchmark."""
    return ref if isinstance(ref, str) else ref.label


__all__ = ["READERS", "Benchmark", "BenchmarkRef", "ReaderSpec", "label", "names", "open_benchmark"]
