"""Pascal VOC's classification task: an image may have several of 20 classes.

    path/VOC2007/ImageSets/Main/<class>_<split>.txt     `000005 -1` on each line
    path/VOC2007/JPEGImages/000005.jpg

1 is an image with an object of the class, -1 one without, and 0 one whose only objects of it are difficult.
The official measure leaves the latter out. Everingham et al., 2010. https://doi.org/10.1007/s11263-009-0275-4
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.base import Benchmark, Labelled
from protoclip_cli.data.benchmarks.folder_images import FolderImages
from protoclip_cli.data.benchmarks.readers._classified import ClassifiedSpec, Found

CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)  # fmt: skip
"""As the files are called."""


class VocSpec(ClassifiedSpec):
    """Pascal VOC with several classes an image."""

    kind: Literal["voc"] = "voc"
    year: str = "2007"
    """Which of the data sets."""
    test: str = "test"
    """The list of images to score."""
    train: str | None = "train"
    """The list of images to fit on, if it is there."""
    val: str | None = "val"
    """The list of images to choose with, if it is there."""

    def missing(self) -> tuple[Path, ...]:
        """See `ReaderSpec`."""
        place = self._lists / f"{CLASSES[0]}_{self.test}.txt"
        return () if place.is_file() else (place,)

    @property
    def layout(self) -> str:
        """See `ReaderSpec`."""
        return f"put JPEGImages/ and ImageSets/Main/ of the training and test archives into {self._root}/"

    def open(self) -> Benchmark:
        """See `ReaderSpec`."""
        if absent := self.missing():
            raise DataError(f"there is no file {absent[0]}", hint=self.layout)
        train, val = (self._labelled(split) for split in (self.train, self.val))
        return self.benchmark(Found(CLASSES, self.test, self._labelled(self.test), train, val))

    @property
    def _root(self) -> Path:
        return self.path.expanduser() / f"VOC{self.year}"

    @property
    def _lists(self) -> Path:
        return self._root / "ImageSets" / "Main"

    def _labelled(self, split: str | None) -> Labelled | None:
        if split is None or not (self._lists / f"{CLASSES[0]}_{split}.txt").is_file():
            return None
        columns, names = [], None
        for name in CLASSES:
            path = self._lists / f"{name}_{split}.txt"
            if not path.is_file():
                raise DataError(f"there is no file {path}", hint=self.layout)
            pairs = [line.split() for line in path.read_text("utf-8").splitlines() if line.strip()]
            found = [pair[0] for pair in pairs]
            if names is None:
                names = found
            if found != names or any(pair[1] not in {"1", "0", "-1"} for pair in pairs if len(pair) == 2):
                raise DataError(
                    f"{path} is not a list of the images that {CLASSES[0]}_{split}.txt lists, with 1, 0 or -1"
                )
            columns.append([int(pair[1]) for pair in pairs])
        assert names is not None
        listed = np.array(columns, np.int8).T
        targets = np.where(listed == 1, 1, np.where(listed == 0, -1, 0)).astype(np.int8)
        present = targets == 1
        labels = np.where(present.any(axis=1), present.argmax(axis=1), -1).astype(np.int64)
        images = FolderImages(self._root / "JPEGImages", [f"{name}.jpg" for name in names])
        return Labelled(images, np.arange(len(names)), labels, targets)
