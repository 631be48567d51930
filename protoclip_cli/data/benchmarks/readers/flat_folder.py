"""Images in one folder, and a file that says which class each has, as ImageNet's validation images come.

The file may be `name class` on each line (Caffe's val.txt), the classes alone in the order of the file names,
or Kaggle's LOC_val_solution.csv. A class is a WordNet id, or a number from 0 in the order of those. The
development kit's own ILSVRC2012_validation_ground_truth.txt is refused: its numbers from 1 to 1,000 are in an
order of its own.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.arrays import checked
from protoclip_cli.data.benchmarks.base import Benchmark, Labelled
from protoclip_cli.data.benchmarks.folder_images import SUFFIXES, FolderImages, is_hidden
from protoclip_cli.data.benchmarks.readers._classified import ClassifiedSpec, Found, all_rows
from protoclip_cli.data.benchmarks.sources import wordnet_ids


class FlatFolderSpec(ClassifiedSpec):
    """ImageNet's validation images in one folder, with a file of labels."""

    kind: Literal["flat_folder"] = "flat_folder"
    images: str = "val"
    """The folder of the images, below `path`."""
    labels: tuple[str, ...] = (
        "val.txt",
        "LOC_val_solution.csv",
        "imagenet_2012_validation_synset_labels.txt",
        "synset_labels.txt",
    )
    """Files of labels below `path`, of which the first that is there is read."""

    def missing(self) -> tuple[Path, ...]:
        """See `ReaderSpec`."""
        root = self.path.expanduser()
        if not (root / self.images).is_dir():
            return (root / self.images,)
        return () if self._file() else (root / self.labels[0],)

    @property
    def layout(self) -> str:
        """See `ReaderSpec`."""
        root = self.path.expanduser()
        files = ", ".join(self.labels)
        return f"put the images into {root / self.images}/ and their classes into {root}/, as one of {files}"

    def open(self) -> Benchmark:
        """See `ReaderSpec`."""
        root, file = self.path.expanduser(), self._file()
        if absent := self.missing():
            raise DataError(f"there is no {absent[0]}", hint=self.layout)
        assert file is not None
        with os.scandir(root / self.images) as entries:
            files = sorted(
                entry.name
                for entry in entries
                if not is_hidden(entry.name) and Path(entry.name).suffix.lower() in SUFFIXES
            )
        if not files:
            raise DataError(f"{root / self.images} holds no image", hint=self.layout)
        keys = wordnet_ids()
        place_of = {key: place for place, key in enumerate(keys)} | {
            str(place): place for place in range(len(keys))
        }
        classes = _classes(file, files)
        if unknown := [name for name in classes if name not in place_of]:
            raise DataError(
                f"{file}: '{unknown[0]}' is neither a WordNet id of ImageNet nor a number below 1,000"
            )
        rows, labels = all_rows([place_of[name] for name in classes])
        checked(labels, len(keys), str(file))
        images = FolderImages(root / self.images, files)
        return self.benchmark(Found(keys, "val", Labelled(images, rows, labels), ordered=True))

    def _file(self) -> Path | None:
        places = (self.path.expanduser() / name for name in self.labels)
        return next((place for place in places if place.is_file()), None)


def _classes(path: Path, files: list[str]) -> list[str]:
    """The class of each file."""
    lines = [line.replace(",", " ").split() for line in path.read_text("utf-8").splitlines() if line.strip()]
    if lines and lines[0][0] == "ImageId":
        lines = lines[1:]
    if lines and len(lines[0]) == 1:
        if len(lines) != len(files):
            raise DataError(f"{path} has {len(lines)} labels for {len(files)} images")
        found = [line[0] for line in lines]
        # Numbers without names beside them come from the development kit, which counts in another order.
        if all(name.isdigit() for name in found):
            raise DataError(
                f"{path} has numbers alone, which may be those of the development kit in their own order",
                hint="use a file with `name class` on each line, or with WordNet ids",
            )
        return found
    class_of = {Path(line[0]).stem: line[1] for line in lines if len(line) > 1}
    if without := [file for file in files if Path(file).stem not in class_of]:
        raise DataError(f"{path} has no label for {len(without)} images, such as {without[0]}")
    return [class_of[Path(file).stem] for file in files]
