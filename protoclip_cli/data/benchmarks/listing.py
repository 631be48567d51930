"""What there is to evaluate on, what of it is here, and where to put the rest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.shipped import data_root, names, present, shipped


@dataclass(frozen=True, slots=True)
class Listing:
    """A benchmark, as a list of benchmarks shows it."""

    name: str
    about: str
    groups: tuple[str, ...]
    metric: str
    """The number to look at first, as `probe/metric`."""
    sizes: dict[str, int]
    """Rows of each part that there should be."""
    number_of_classes: int | None
    state: Literal["carried", "present", "missing"]
    """`carried`: protoclip has it itself."""
    where: str
    """What to put where, as a sentence. Empty: nothing."""


def listing(root: Path | None = None, chosen: Iterable[str] | None = None) -> list[Listing]:
    """Benchmarks, sorted by name. Nothing is opened: a folder that is there counts as present.

    Args:
        root: where data sets are, see `data_root`.
        chosen: names. None: all.
    """
    return [_listed(name, data_root(root)) for name in sorted(names() if chosen is None else chosen)]


def _listed(name: str, root: Path) -> Listing:
    spec = shipped(name)
    readers = [reader.below(root) for reader in spec.readers]
    layouts = dict.fromkeys(reader.layout for reader in readers if reader.layout)
    state: Literal["carried", "present", "missing"] = "present" if layouts else "carried"
    try:
        present(spec, root)
    except DataError:
        state = "missing"
    return Listing(
        name=name,
        about=spec.about,
        groups=spec.groups,
        metric=spec.metric,
        sizes=spec.sizes,
        number_of_classes=spec.number_of_classes,
        state=state,
        where=" - or ".join(layouts),
    )
