"""A folder of images in a folder per class.

    path/<class>/...jpg                       all images are scored; what fits something is scored on a part
    path/train/<class>/..., path/test/...     probes may fit on `train`; `val` stands in for `test`

A class is called like its folder, with `_` and `-` read as spaces. Other names come from `classes:` in the
recipe or from `path/classes.txt`, which has a name a line, in the order of the folders, or `folder<TAB>name`
on each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.base import Benchmark, Labelled
from protoclip_cli.data.benchmarks.folder_images import FolderImages, Scan, in_order, is_hidden, scan
from protoclip_cli.data.benchmarks.prompts import PHOTO_TEMPLATES, Templates, named
from protoclip_cli.data.benchmarks.readers.base import ReaderSpec

_TRAIN = "train"
_TEST = ("test", "val", "valid", "validation")
_NAMES = "classes.txt"
_ALL = "all"
_LEAST = 2
"""Images of a class that can be parted."""


class FolderSpec(ReaderSpec):
    """Images in one folder per class."""

    kind: Literal["folder"] = "folder"
    path: Path
    """The folder that holds a folder per class, or `train` and `test` folders that do."""
    split: str | None = None
    """Folder of the split to score. Left out: `test`, or else `val`."""
    classes: dict[str, str] | None = None
    """Names by folder. Left out: those in `classes.txt`, or the names of the folders."""
    templates: Templates = PHOTO_TEMPLATES
    """Prompts with one `{}` each."""
    scored_part: float = Field(0.2, ge=0, lt=1)
    """Of each class's images, where no folder is a split: what probes that fit something are scored on. They
    fit on the others. 0: they do not run."""

    @property
    def label(self) -> str:
        """See `ReaderSpec`."""
        return self.name or self.path.expanduser().resolve().name

    def missing(self) -> tuple[Path, ...]:
        """See `ReaderSpec`."""
        root = self.path.expanduser()
        return () if root.is_dir() else (root,)

    @property
    def layout(self) -> str:
        """See `ReaderSpec`."""
        return _where(self.path.expanduser())

    def open(self) -> Benchmark:
        """See `ReaderSpec`."""
        root = self.path.expanduser()
        layout = self._layout(root)
        test = scan(layout.test)
        train = None if layout.train is None else scan(layout.train)
        folders = in_order({*test.files, *(train.files if train else ())})
        if not test.files:
            raise DataError(f"no class folder in {layout.test} holds an image", hint=_where(root))
        ignored = test.ignored + (train.ignored if train else 0)
        if layout.test == root and (root / _NAMES).is_file():
            ignored -= 1
        benchmark = Benchmark(
            name=self.label,
            split=layout.split,
            classes=self._names(root, folders),
            templates=self.templates,
            test=_labelled(layout.test, test, folders),
            train=_labelled(layout.train, train, folders) if layout.train and train and train.files else None,
            notes=(f"{ignored:,} files or hidden folders are ignored: no images, or in no class folder",)
            if ignored
            else (),
        )
        return self._parted(benchmark) if layout.split == _ALL else benchmark

    def _parted(self, benchmark: Benchmark) -> Benchmark:
        """With a split of our own, always the same, if every class has images for both parts."""
        whole = benchmark.test
        assert whole is not None
        if not self.scored_part or np.bincount(whole.labels).min() < _LEAST:
            return benchmark
        test, train = parted(whole, self.scored_part)
        return replace(
            benchmark, split=f"{self.scored_part:g} of each class", test=test, train=train, whole=whole
        )

    def _layout(self, root: Path) -> _Layout:
        if not root.is_dir():
            raise DataError(f"there is no folder {root}", hint=_where(root))
        inner = {entry.name for entry in root.iterdir() if entry.is_dir() and not is_hidden(entry.name)}
        train = root / _TRAIN if _TRAIN in inner else None
        if self.split is not None:
            if self.split not in inner:
                raise DataError(f"there is no folder {root / self.split}", hint=_where(root))
            return _Layout(root / self.split, self.split, None if self.split == _TRAIN else train)
        # A class may be called `train` or `test`; only where nothing else is there, these are splits.
        if not inner or inner - {_TRAIN, *_TEST}:
            return _Layout(root, _ALL, None)
        present = [name for name in _TEST if name in inner]
        if not present:
            raise DataError(f"{root} has a `train` folder, but nothing to score", hint=_where(root))
        return _Layout(root / present[0], present[0], train)

    def _names(self, root: Path, folders: list[str]) -> tuple[str, ...]:
        """The name of every class folder."""
        listed = self.classes
        if listed is None and (root / _NAMES).is_file():
            lines = [line.strip() for line in (root / _NAMES).read_text("utf-8").splitlines() if line.strip()]
            if any("\t" in line for line in lines):
                listed = dict(_pair(line, root / _NAMES) for line in lines)
            elif len(lines) != len(folders):
                raise DataError(
                    f"{root / _NAMES} has {len(lines)} names for {len(folders)} class folders with images",
                    hint="write one name per line in the order of the folders, or `folder<TAB>name`",
                )
            else:
                return tuple(lines)
        names = dict(zip(folders, named(folders), strict=True))
        if unknown := sorted(set(listed or ()) - names.keys()):
            raise DataError(
                f"{root} has no images for the class folders {', '.join(unknown[:5])}", hint=_where(root)
            )
        return tuple((names | (listed or {})).values())


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which folders hold class folders."""

    test: Path
    split: str
    train: Path | None


def _labelled(root: Path, scanned: Scan, folders: Sequence[str]) -> Labelled:
    each = [scanned.files.get(folder, []) for folder in folders]
    files = [file for some in each for file in some]
    labels = np.repeat(np.arange(len(folders)), [len(some) for some in each])
    return Labelled(FolderImages(root, files), np.arange(len(files)), labels)


def parted(whole: Labelled, share: float) -> tuple[Labelled, Labelled]:
    """A share of every class's rows by chance, at least one, and the others; always the same.

    Args:
        whole: at least two rows of each class.
        share: between 0 and 1.
    """
    chance = np.random.default_rng(0)
    first = np.zeros(len(whole.labels), bool)
    for label in np.unique(whole.labels):
        found = np.flatnonzero(whole.labels == label)
        count = min(max(round(share * len(found)), 1), len(found) - 1)
        first[chance.permutation(found)[:count]] = True
    test, train = (Labelled(whole.images, whole.rows[part], whole.labels[part]) for part in (first, ~first))
    return test, train


def _pair(line: str, path: Path) -> tuple[str, str]:
    folder, tab, name = line.partition("\t")
    if not tab or not name.strip():
        raise DataError(f"{path}: '{line}' is not `folder<TAB>name`")
    return folder.strip(), name.strip()


def _where(root: Path) -> str:
    return f"put images into {root}/<class>/, or into {root}/test/<class>/ and {root}/train/<class>/"
