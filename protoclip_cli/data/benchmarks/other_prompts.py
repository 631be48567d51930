"""A benchmark with names or templates from elsewhere: clip-benchmark's lists, or files of the user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.data.benchmarks.names import name_classes
from protoclip_cli.data.benchmarks.readers._classified import prompts_of
from protoclip_cli.data.benchmarks.sources import Names, read_json, read_templates

CLIP_BENCHMARK = "clip_benchmark"


def with_names(benchmark: Benchmark, source: str, keys: Mapping[str, str]) -> Benchmark:
    """The benchmark with other class names.

    Args:
        benchmark: with names of its own, in the order of its labels.
        source: `clip_benchmark`, or a JSON file of {data set: [names]}.
        keys: what clip-benchmark calls its lists for this benchmark, see `ShippedSpec.clip_benchmark`.

    Returns:
        The benchmark, with a note of what was done. Names that are its own in another order are sorted as its
        own are; others are taken in the order they have, which must be that of the labels.

    Raises:
        DataError: there are more or fewer names than classes.
    """
    found = _key(benchmark, source, keys.get("names"))
    if found is None or not benchmark.classes:
        return _kept(benchmark, source, "names")
    names = name_classes(benchmark.classes, found, ordered=True, place=benchmark.name)
    return replace(
        benchmark,
        classes=tuple(alike[0] for alike in names),
        synonyms=names if any(len(alike) > 1 for alike in names) else (),
        prompts=(),
        notes=(*benchmark.notes, f"names are those of {found}; the first is '{names[0][0]}'"),
    )


def with_templates(benchmark: Benchmark, source: str, keys: Mapping[str, str]) -> Benchmark:
    """The benchmark with other templates, or with whole prompts for every class.

    Args:
        benchmark: with names.
        source: `clip_benchmark`, or a JSON file of {data set: [templates]} or {data set: {class: [prompts]}}.
        keys: what clip-benchmark calls its lists for this benchmark, see `ShippedSpec.clip_benchmark`.

    Raises:
        DataError: a template has not one place for the name, or a class has no prompts.
    """
    found = _key(benchmark, source, keys.get("templates"))
    if found is None or not benchmark.classes:
        return _kept(benchmark, source, "templates")
    templates = read_templates(found)
    notes = (*benchmark.notes, f"templates are those of {found}")
    if isinstance(templates, tuple):
        return replace(benchmark, templates=templates, prompts=(), notes=notes)
    names: Names = tuple((name,) for name in benchmark.classes)
    return replace(benchmark, prompts=prompts_of(names, templates, found), notes=notes)


def _key(benchmark: Benchmark, source: str, key: str | None) -> str | None:
    """The list of a benchmark as a source names it. None: the source has none for it."""
    if source == CLIP_BENCHMARK:
        return None if key is None else f"{CLIP_BENCHMARK}:{key}"
    content = read_json(Path(source).expanduser())
    if not isinstance(content, dict):
        raise DataError(f"{source} must be an object: a data set and its list, for every data set")
    return f"{source}:{benchmark.name}" if benchmark.name in content else None


def _kept(benchmark: Benchmark, source: str, what: str) -> Benchmark:
    if not benchmark.classes:
        return benchmark
    note = f"{source} has no {what} for {benchmark.name}, which keeps its own"
    return replace(benchmark, notes=(*benchmark.notes, note))
