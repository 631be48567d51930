"""What all readers of labelled images have in common: how classes are called, and what is asked."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.base import Benchmark, Labelled, Metric
from protoclip_cli.data.benchmarks.names import Classes, name_classes
from protoclip_cli.data.benchmarks.readers.base import ReaderSpec
from protoclip_cli.data.benchmarks.sources import Names, one_place, read_templates


@dataclass(frozen=True, slots=True)
class Found:
    """What a reader found on the disk."""

    keys: Sequence[str]
    """What the data call the classes, in the order of the labels."""
    split: str
    """What the data call the rows to score."""
    test: Labelled | None = None
    train: Labelled | None = None
    val: Labelled | None = None
    whole: Labelled | None = None
    ordered: bool = False
    """Whether a list of names is known to be in the order of the labels."""
    notes: tuple[str, ...] = field(default=())


class ClassifiedSpec(ReaderSpec, ABC):
    """Labelled images below a path."""

    path: Path
    """The folder of the data set."""
    classes: Classes = None
    """Names of the classes: a mapping from what the data call them, a list, `wnid`, `camel_case`, or a source
    such as `open_clip:imagenet` or `names.json:birdsnap`. Several names of one class are a list. Left out: as
    the data call them."""
    templates: tuple[str, ...] | str | None = None
    """Prompts with one `{}` each, or a source such as `open_clip:imagenet`. Left out: there are none, and
    zero-shot classification leaves the benchmark out."""
    metric: Metric = "top1"
    """How it is judged."""

    @property
    def label(self) -> str:
        """See `ReaderSpec`."""
        return self.name or self.path.expanduser().resolve().name

    def missing(self) -> tuple[Path, ...]:
        """See `ReaderSpec`."""
        root = self.path.expanduser()
        return () if root.exists() else (root,)

    def benchmark(self, found: Found) -> Benchmark:
        """The benchmark of what was found.

        Raises:
            DataError: the names are not those of these classes, or a template is no template.
        """
        names = name_classes(found.keys, self.classes, ordered=found.ordered, place=str(self.path))
        templates, prompts = self._prompts(names)
        return Benchmark(
            name=self.label,
            split=found.split,
            classes=tuple(alike[0] for alike in names),
            synonyms=names if any(len(alike) > 1 for alike in names) else (),
            templates=templates,
            prompts=prompts,
            metric=self.metric,
            test=found.test,
            train=found.train,
            val=found.val,
            whole=found.whole,
            notes=found.notes,
        )

    def _prompts(self, names: Names) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        setting = self.templates
        if setting is None:
            return (), ()
        if not isinstance(setting, str):
            return tuple(one_place(template, self.label) for template in setting), ()
        found = read_templates(setting)
        return (found, ()) if isinstance(found, tuple) else ((), prompts_of(names, found, setting))


def prompts_of(names: Names, found: dict[str, tuple[str, ...]], source: str) -> tuple[tuple[str, ...], ...]:
    """The prompts of every class, found by its first name. Classes of the same name have the same.

    Raises:
        DataError: a class has none.
    """
    if unknown := [alike[0] for alike in names if alike[0] not in found]:
        raise DataError(
            f"{source} has no prompts for {len(unknown)} classes: {', '.join(unknown[:5])}",
            hint=f"it has prompts for {', '.join(list(found)[:5])}, ...",
        )
    return tuple(found[alike[0]] for alike in names)


def all_rows(labels: Sequence[int] | NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and labels of a split that is all of its images.

    >>> [part.tolist() for part in all_rows([2, 0])]
    [[0, 1], [2, 0]]
    """
    array = np.asarray(labels, np.int64)
    return np.arange(len(array), dtype=np.int64), array
