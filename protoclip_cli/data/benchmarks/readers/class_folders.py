"""A data set of which each split is a folder of class folders, as image folders of papers are.

    path/<split>/<class>/...jpg

Unlike `folder`, which takes what it finds, this knows what it looks for: names belong to folders by what the
folders are called, and a class without a folder, or a folder without a name, is an error.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.base import Benchmark, Labelled
from protoclip_cli.data.benchmarks.folder_images import FolderImages, Scan, in_order, is_hidden, scan
from protoclip_cli.data.benchmarks.readers._classified import ClassifiedSpec, Found


class ClassFoldersSpec(ClassifiedSpec):
    """Folders of class folders, one a split."""

    kind: Literal["class_folders"] = "class_folders"
    test: tuple[str, ...] = ("test", "val")
    """Folders of the split to score, of which the first that is there is read. `.`: the path itself."""
    train: tuple[str, ...] = ("train",)
    """Folders to fit on, of which the first that is there is read. Empty: none."""
    val: tuple[str, ...] = ()
    """Folders of the validation split, of which the first that is there is read. Empty: none."""
    train_every: int = Field(1, gt=0)
    """Fit on every so many-th image only, in the order of classes and files."""
    train_most: int | None = Field(None, gt=0)
    """Fit on this many images at most."""
    names_file: Path | None = None
    """A text file with `folder<TAB>name` on each line, if it is there: the names of the classes."""
    string_order: bool = False
    """Sort folders as texts even if they are numbers, and take a list of names in that order: the way of
    torchvision's ImageFolder, on which the lists of other tools rely."""

    def missing(self) -> tuple[Path, ...]:
        """See `ReaderSpec`."""
        places = [self._root / folder for folder in self.test]
        return () if any(_has_folders(place) for place in places) else (places[0],)

    @property
    def layout(self) -> str:
        """See `ReaderSpec`."""
        place = self._root / self.test[0]
        train = f", and into {self._root / self.train[0]}/<class>/ to fit on" if self.train else ""
        return f"put images into {place}/<class>/{train}"

    def open(self) -> Benchmark:
        """See `ReaderSpec`."""
        if absent := self.missing():
            raise DataError(f"there is no folder {absent[0]}", hint=self.layout)
        test, train, val = (self._scan(folders) for folders in (self.test, self.train, self.val))
        assert test is not None
        if not test.found.files:
            raise DataError(f"no class folder in {test.place} holds an image", hint=self.layout)
        # The classes are those that are scored, whether or not there is more to fit on.
        keys = sorted(test.found.files) if self.string_order else in_order(set(test.found.files))
        found = Found(
            keys=keys,
            split="all" if test.place == self._root else test.place.name,
            test=test.labelled(keys),
            train=None if train is None else self._thinned(train.labelled(keys)),
            val=None if val is None else val.labelled(keys),
            ordered=self.string_order,
            notes=tuple(note for part in (test, train, val) if part is not None for note in part.notes(keys)),
        )
        return self._named(keys).benchmark(found)

    @property
    def _root(self) -> Path:
        return self.path.expanduser()

    def _scan(self, folders: Sequence[str]) -> _Part | None:
        places = (self._root / folder for folder in folders)
        place = next((place for place in places if _has_folders(place)), None)
        return None if place is None else _Part(place, scan(place))

    def _thinned(self, train: Labelled) -> Labelled:
        kept = train.rows[:: self.train_every][: self.train_most]
        return Labelled(train.images, kept, train.labels[kept])

    def _named(self, keys: Sequence[str]) -> ClassFoldersSpec:
        """This, with the names of its file, or of classes.txt where numbers are all there is."""
        path = self.names_file
        if path is None and self.classes is None and all(key.isdigit() for key in keys):
            path = self._root / "classes.txt"
        if path is None or not path.expanduser().is_file():
            return self
        return self.model_copy(update={"classes": read_pairs(path.expanduser())})


@dataclass(frozen=True, slots=True)
class _Part:
    """What is in the folder of a split."""

    place: Path
    found: Scan

    def labelled(self, keys: Sequence[str]) -> Labelled:
        """The images of these classes."""
        each = [self.found.files.get(key, []) for key in keys]
        files = [file for some in each for file in some]
        labels = np.repeat(np.arange(len(keys)), [len(some) for some in each])
        return Labelled(FolderImages(self.place, files), np.arange(len(files)), labels)

    def notes(self, keys: Sequence[str]) -> Iterator[str]:
        """What is left out."""
        if self.found.ignored:
            yield f"{self.found.ignored:,} files or folders in {self.place} are no images in class folders"
        if others := sorted(self.found.files.keys() - set(keys)):
            yield f"{len(others)} classes of {self.place} are left out: none is scored, such as {others[0]}"


def _has_folders(place: Path) -> bool:
    """Whether a folder holds folders. One with images alone is of another layout."""
    if not place.is_dir():
        return False
    with os.scandir(place) as entries:
        return any(entry.is_dir() and not is_hidden(entry.name) for entry in entries)


def read_pairs(path: Path) -> dict[str, str]:
    """Names by folder, from the first two columns of a table. The header of a table is a pair like others.

    Raises:
        DataError: a line has one column only.
    """
    names = {}
    for line in path.read_text("utf-8-sig").splitlines():
        if not line.strip():
            continue
        key, tab, rest = line.partition("\t")
        if not tab or not rest.strip():
            raise DataError(f"{path}: '{line:.60}' is not `folder<TAB>name`")
        names[key.strip()] = rest.split("\t")[0].strip()
    return names
