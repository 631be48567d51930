"""Data sets that torchvision reads, and with `download: true` fetches."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image
from pydantic import field_validator

from protoclip_cli.core.errors import DataError, MissingExtra
from protoclip_cli.data.benchmarks.arrays import ArrayImages, checked
from protoclip_cli.data.benchmarks.base import Benchmark, Images, Labelled
from protoclip_cli.data.benchmarks.folder_images import FolderImages
from protoclip_cli.data.benchmarks.readers._classified import ClassifiedSpec, Found, all_rows
from protoclip_cli.data.benchmarks.readers._torchvision_sets import SETS, TorchvisionSet
from protoclip_cli.data.fingerprints import fingerprint


class TorchvisionSpec(ClassifiedSpec):
    """A data set of torchvision."""

    kind: Literal["torchvision"] = "torchvision"
    path: Path = Path("data")
    """The folder that torchvision calls `root`."""
    dataset: str
    """The name of the class, such as CIFAR10."""
    download: bool = False
    """Fetch it if it is not there. The variable PROTOCLIP_DOWNLOAD=1 does so too."""

    @field_validator("dataset")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in SETS:
            raise ValueError(f"choose from {', '.join(SETS)}")
        return value

    @property
    def label(self) -> str:
        """See `ReaderSpec`."""
        return self.name or self.dataset.lower()

    def missing(self) -> tuple[Path, ...]:
        """See `ReaderSpec`."""
        place = self.path.expanduser() / self._set.folder / self._set.mark
        return () if place.exists() or self._downloads else (place,)

    @property
    def layout(self) -> str:
        """See `ReaderSpec`."""
        fetch = ", or set PROTOCLIP_DOWNLOAD=1 to fetch them" if self._set.download else ""
        return f"put {self._set.contents} into {self.path.expanduser() / self._set.folder}/{fetch}"

    def open(self) -> Benchmark:
        """See `ReaderSpec`."""
        if absent := self.missing():
            raise DataError(f"there is no {absent[0]}", hint=self.layout)
        opened = {ours: self._dataset(theirs) for ours, theirs in self._set.splits.items()}
        keys = self._keys(opened["test" if "test" in opened else "whole"])
        parts: dict[str, Any] = {
            ours: self._labelled(dataset, theirs, keys)
            for (ours, theirs), dataset in zip(self._set.splits.items(), opened.values(), strict=True)
            if dataset is not None
        }
        return self.benchmark(Found(keys, self._set.splits.get("test", "all"), **parts, ordered=True))

    @property
    def _set(self) -> TorchvisionSet:
        return SETS[self.dataset]

    @property
    def _downloads(self) -> bool:
        asked = self.download or os.environ.get("PROTOCLIP_DOWNLOAD", "") not in {"", "0"}
        return asked and self._set.download

    def _dataset(self, split: str) -> Any:
        """Torchvision's object. None: this split, which nobody must have, is not there."""
        needed = split in {"", self._set.splits.get("test")}
        from torchvision import datasets

        root = self.path.expanduser()
        arguments: dict[str, Any] = {}
        if split:
            arguments = {self._set.argument: split == "train" if self._set.argument == "train" else split}
        if self._downloads:
            arguments["download"] = True
        try:
            with _one_at_a_time(root, self._downloads):
                return _sorted(getattr(datasets, self.dataset)(root, **arguments))
        except ImportError as error:
            raise MissingExtra(
                f"{self.dataset} needs {error.name}", hint=f"pip install {error.name}"
            ) from None
        except RuntimeError as error:
            said = " ".join(str(error).split())
            if "not found. This dataset needs" in said or "installed: " in said:
                raise MissingExtra(said, hint=said.rpartition(": ")[2].removeprefix("please run ")) from None
            if not needed:
                return None
            raise DataError(f"torchvision cannot read {self.dataset}: {said}", hint=self.layout) from None
        except (OSError, ValueError, KeyError, EOFError) as error:
            if isinstance(error, FileNotFoundError) and not needed:
                return None
            raise DataError(f"torchvision cannot read {self.dataset}: {error}", hint=self.layout) from None

    def _keys(self, dataset: Any) -> list[str]:
        if self._set.values:
            return [str(value) for value in np.unique(self._labels(dataset))]
        found = getattr(dataset, "classes", None) or getattr(dataset, "categories", None)
        if found:
            return [str(name) for name in found]
        if isinstance(self.classes, list | tuple) and self.classes:
            return [str(number) for number in range(len(self.classes))]
        return [str(number) for number in range(int(self._labels(dataset).max()) + 1)]

    def _labelled(self, dataset: Any, split: str, keys: list[str]) -> Labelled:
        labels, what = self._labels(dataset), f"{self.dataset} {split}".strip()
        if self._set.values:
            values = np.array(keys, np.int64)
            if not np.isin(labels, values).all():
                raise DataError(f"{self.dataset} {split} has values that its test split has not")
            labels = np.searchsorted(values, labels)
        rows, labels = all_rows(checked(labels, len(keys), what))
        return Labelled(self._images(dataset, what), rows, labels)

    def _labels(self, dataset: Any) -> NDArray[np.int64]:
        found = self._set
        if self.dataset == "PCAM":
            return _pcam_labels(dataset)
        if self.dataset == "FER2013":
            return _fer_labels(dataset, self.layout)
        if found.labels is not None:
            return np.asarray(getattr(dataset, found.labels), np.int64).reshape(-1)
        return np.array([label for _, label in getattr(dataset, str(found.files))], np.int64)

    def _images(self, dataset: Any, what: str) -> Images:
        if self.dataset == "FER2013":
            faces = [np.asarray(face, np.uint8) for face, _ in dataset._samples]
            return ArrayImages(np.stack(faces), what)
        if self._set.pixels:
            pixels = np.asarray(getattr(dataset, self._set.pixels))
            channels_first = pixels.ndim == 4 and pixels.shape[1] == 3 and pixels.shape[3] != 3
            return ArrayImages(pixels.transpose(0, 2, 3, 1) if channels_first else pixels, what)
        root = self.path.expanduser()
        if self.dataset == "Caltech101":
            below = Path(dataset.root) / "101_ObjectCategories"
            files = [
                f"{dataset.categories[label]}/image_{number:04d}.jpg"
                for label, number in zip(dataset.y, dataset.index, strict=True)
            ]
            return FolderImages(below, files)
        if self._set.files:
            entries = getattr(dataset, self._set.files)
            paths = [Path(entry[0] if isinstance(entry, tuple) else entry) for entry in entries]
            return FolderImages(root, [os.path.relpath(path, root) for path in paths])
        return DatasetImages(dataset, what)


class DatasetImages:
    """Images by row, as torchvision's object reads them."""

    in_memory = False

    def __init__(self, dataset: Any, what: str) -> None:
        """Keep the object.

        Args:
            dataset: whose items are pairs of image and label.
            what: it is, for messages.
        """
        self._dataset, self._what = dataset, what

    @cached_property
    def fingerprint(self) -> str:
        """Changes with the sizes of the files below its folder."""
        files = sorted(path for path in Path(self._dataset._base_folder).rglob("*") if path.is_file())
        sizes = np.array([path.stat().st_size for path in files], np.int64)
        return fingerprint(self._what, pa.array([path.name for path in files], pa.large_string()), sizes)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._dataset)

    def image(self, row: int, draft: int | None = None) -> Image.Image:  # noqa: ARG002 (there is one size)
        """The image of a row, in RGB."""
        image: Image.Image = self._dataset[int(row)][0]
        return image.convert("RGB")

    def place(self, row: int) -> str:
        """Where the image of a row is, for messages."""
        return f"{self._what}, row {row}"


def _sorted(dataset: Any) -> Any:
    """The object; SUN397's comes in the order of the disk, which differs between machines."""
    if type(dataset).__name__ == "SUN397":
        pairs = sorted(zip(dataset._image_files, dataset._labels, strict=True))
        dataset._image_files, dataset._labels = map(list, zip(*pairs, strict=True)) if pairs else ([], [])
    return dataset


@contextmanager
def _one_at_a_time(root: Path, fetching: bool) -> Iterator[None]:
    """Of several processes on a machine, the first fetches, and the others find it done."""
    if not fetching:
        yield
        return
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".protoclip_download").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fer_labels(dataset: Any, layout: str) -> NDArray[np.int64]:
    labels = [label for _, label in dataset._samples]
    if None in labels:
        raise DataError("this file of FER2013 has no labels for its test rows", hint=layout)
    return np.array(labels, np.int64)


def _pcam_labels(dataset: Any) -> NDArray[np.int64]:
    path = dataset._base_folder / dataset._FILES[dataset._split]["targets"][0]
    with dataset.h5py.File(path) as file:
        return np.asarray(file["y"], np.int64).reshape(-1)
