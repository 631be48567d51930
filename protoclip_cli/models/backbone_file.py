"""Weights of an image tower out of files that self-supervised training has written.

MoCo puts them below `module.encoder_q.`, DINO below `teacher` or `student` and `backbone.`, SwAV below
`module.`, Barlow Twins and VICReg nowhere. Instead of a list of all of these, the reader looks for the prefix
below which most of the tower's own names are found; what else is there, heads and queues, it leaves out
and tells.
"""

from __future__ import annotations

from argparse import Namespace
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from protoclip_cli.core.errors import DataError
from protoclip_cli.models.state_file import read_file

_SECOND_CHOICE = ("encoder_k", "momentum", "target", "student")
"""Of two copies that fit: MoCo's key encoder, others' moving averages, and DINO's student, which its authors
do not evaluate."""
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Fit:
    """What of a file a tower can use."""

    prefix: str
    """What stands before the tower's own names."""
    tensors: Mapping[str, Tensor]
    """Those of the tower, under its own names."""
    left_out: tuple[str, ...]
    """Names in the file of what is not the tower's."""
    from_chance: tuple[str, ...]
    """Weights and norm statistics of the tower that the file does not have."""

    def words(self, path: Path) -> str:
        """What happened, as a sentence."""
        below = f" below '{self.prefix}'" if self.prefix else ""
        return (
            f"{path}: {len(self.tensors)} tensors taken{below}; left out: "
            f"{_beginnings(self.left_out)}; started from chance: {_some(self.from_chance)}"
        )


def load_backbone(module: nn.Module, path: Path) -> Fit:
    """Fill an image tower from a file. Nothing in the file is run.

    Args:
        module: the tower, without a classifier.
        path: of a library or of self-supervised training.

    Raises:
        DataError: the file is damaged, of another tower, or has less than half of this one.
    """
    with torch.serialization.safe_globals([Namespace]):  # DINO keeps its options beside its weights
        found = dict(_flat(read_file(path)))
    fit = find_backbone(module.state_dict(), found, path)
    module.load_state_dict(fit.tensors, strict=False)
    return fit


def find_backbone(own: Mapping[str, Tensor], found: Mapping[str, Tensor], path: Path) -> Fit:
    """See which tensors of a file are those of a tower.

    Args:
        own: the tower's state.
        found: all tensors of the file, by their names with those of the mappings around them.
        path: for messages.

    Raises:
        DataError: fewer than half of the tower's tensors are there, or one has another shape.
    """
    needed = {name for name, tensor in own.items() if tensor.is_floating_point()}  # counters are not learned
    below: dict[str, set[str]] = defaultdict(set)
    for name in found:
        for prefix, inner in _splits(name):
            if inner in needed:
                below[prefix].add(inner)
    prefix = min(below, key=lambda some: (-len(below[some]), _rank(some), len(some)), default="")
    matched = below[prefix]
    if 2 * len(matched) < len(needed) or not matched:
        raise DataError(
            f"{path} does not fit: {len(needed) - len(matched)} of {len(needed)} tensors are missing. Names "
            f"there begin with {_beginnings(found)}; the image tower's with {_beginnings(needed)}",
            hint="name the encoder that the weights are of, as the recipe's image tower or with --model",
        )
    tensors = {name: found[prefix + name] for name in own if prefix + name in found}
    for name, tensor in tensors.items():
        if tensor.shape != own[name].shape:
            raise DataError(
                f"{path} does not fit: {prefix}{name} is {tuple(tensor.shape)} there, and "
                f"{tuple(own[name].shape)} in the image tower",
                hint="name the encoder that the weights are of; resnet50w2 and w4 are SwAV's wide ones",
            )
    used = {prefix + name for name in tensors}
    return Fit(
        prefix,
        tensors,
        tuple(name for name in found if name not in used),
        tuple(name for name in own if name in needed - matched),
    )


def _flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """All tensors of nested mappings, but for those of an optimiser."""
    for key, value in content.items():
        if isinstance(value, Tensor):
            yield f"{prefix}{key}", value
        elif isinstance(value, Mapping) and not str(key).startswith("optim"):
            yield from _flat(value, f"{prefix}{key}.")


def _splits(name: str) -> Iterator[tuple[str, str]]:
    """All ways to cut a name in two.

    >>> list(_splits("module.fc.bias"))
    [('', 'module.fc.bias'), ('module.', 'fc.bias'), ('module.fc.', 'bias')]
    """
    parts = name.split(".")
    for cut in range(len(parts)):
        yield "".join(f"{part}." for part in parts[:cut]), ".".join(parts[cut:])


def _rank(prefix: str) -> int:
    return sum(word in prefix for word in _SECOND_CHOICE)


def _beginnings(names: Iterable[str]) -> str:
    """How names begin up to where they differ, and how many do.

    >>> _beginnings(["module.fc.bias", "module.fc.weight", "module.queue"])
    'module.fc (2), module.queue (1)'
    """
    parts = [name.split(".") for name in names]
    alike = len(list(takewhile(lambda words: len(set(words)) == 1, zip(*parts, strict=False))))
    counts = Counter(".".join(some[: alike + 1]) for some in parts)
    shown = [f"{start} ({count})" for start, count in counts.most_common(_SHOWN)]
    return ", ".join(shown + ["..."] * (len(counts) > _SHOWN)) or "nothing"


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:_SHOWN] + ("...",) * (len(names) > _SHOWN)) or "nothing"
