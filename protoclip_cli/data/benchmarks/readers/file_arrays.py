"""Labelled images that NumPy arrays name: clip-rocket's and SLIP's file lists.

path/<split>_images.npy     paths
path/<split>_labels.npy     what the data call the class of each, or its number
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import numpy as np

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.arrays import checked
from protoclip_cli.data.benchmarks.base import Benchmark, Labelled
from protoclip_cli.data.benchmarks.folder_images import FolderImages
from protoclip_cli.data.benchmarks.readers._classified import ClassifiedSpec, Found, all_rows
from protoclip_cli.data.pickles import read_object_array


class FileArraysSpec(ClassifiedSpec):
    """Two arrays a split: paths of images, and their classes."""

    kind: Literal["file_arrays"] = "file_arrays"
    test: str = "val"
    """What the arrays of the rows to score are called, without `_images.npy`."""
    train: str | None = "train"
    """What the arrays of the rows to fit on are called, if they are there."""

    string_order: bool = False
    """Take a list of names in the order of the classes' texts, as clip-rocket's lists are."""

    def missing(self) -> tuple[Path, ...]:
        """See `ReaderSpec`."""
        return tuple(place for place in self._places(self.test) if not place.is_file())

    @property
    def layout(self) -> str:
        """See `ReaderSpec`."""
        names = " and ".join(place.name for place in self._places(self.test))
        return f"put {names} into {self.path.expanduser()}/"

    def open(self) -> Benchmark:
        """See `ReaderSpec`."""
        if absent := self.missing():
            raise DataError(f"there is no file {absent[0]}", hint=self.layout)
        test = self._read(self.test)
        train = None
        if self.train is not None and all(place.is_file() for place in self._places(self.train)):
            train = self._read(self.train)
        found = test[1] + (train[1] if train else [])
        # Whole numbers are labels already; texts are sorted as texts are.
        texts = any(isinstance(label, str) for label in found)
        keys = (
            sorted({str(label) for label in found})
            if texts
            else [str(n) for n in range(max(found, default=0) + 1)]
        )
        return self.benchmark(
            Found(
                keys,
                self.test,
                self._labelled(self.test, test, keys, texts=texts),
                self._labelled(str(self.train), train, keys, texts=texts) if train else None,
                ordered=self.string_order or not texts,
            )
        )

    def _places(self, split: str) -> tuple[Path, Path]:
        root = self.path.expanduser()
        return root / f"{split}_images.npy", root / f"{split}_labels.npy"

    def _read(self, split: str) -> tuple[list[str], list[Any]]:
        images, labels = (_values(place) for place in self._places(split))
        if len(images) != len(labels) or not images:
            raise DataError(f"{self._places(split)[0]} has {len(images)} paths for {len(labels)} labels")
        return [str(image) for image in images], labels

    def _labelled(
        self, split: str, found: tuple[list[str], list[Any]], keys: list[str], *, texts: bool
    ) -> Labelled:
        place_of = {key: place for place, key in enumerate(keys)}
        rows, labels = all_rows([place_of[str(label)] if texts else int(label) for label in found[1]])
        checked(labels, len(keys), str(self._places(split)[1]))
        root = self.path.expanduser()
        return Labelled(
            FolderImages(root, [os.path.relpath(root / file, root) for file in found[0]]), rows, labels
        )


def _values(path: Path) -> list[Any]:
    """The values of an array; an array of objects is a pickle, of which only plain values are read."""
    try:
        array = np.load(path, allow_pickle=False)
    except ValueError:
        return read_object_array(path)
    except (OSError, EOFError) as error:
        raise DataError(f"{path} is not a .npy file: {error}") from None
    if array.ndim != 1:
        raise DataError(f"{path} has shape {array.shape}, not that of a list")
    values: list[Any] = array.tolist()
    return values
