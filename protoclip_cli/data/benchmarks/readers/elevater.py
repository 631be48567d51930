"""Data sets as ELEVATER keeps them: lists, and images in zip archives that are never unpacked.

    path/classification/<dataset>_<date>/labels.txt, test.txt, test.zip ...

A line of a list is `archive.zip@path/in/it.jpg 3`, or `... 3,7` where an image may have several classes. The
lists of some sets are COCO's JSON. A label is a place in labels.txt, or of a category id in rising order.

Li et al., ELEVATER, 2022. https://arxiv.org/abs/2204.08790
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.arrays import ZipImages, checked
from protoclip_cli.data.benchmarks.base import Benchmark, Images, Labelled
from protoclip_cli.data.benchmarks.folder_images import FolderImages
from protoclip_cli.data.benchmarks.readers._classified import ClassifiedSpec, Found
from protoclip_cli.data.benchmarks.sources import read_json


class ElevaterSpec(ClassifiedSpec):
    """Lists of images in zip archives."""

    kind: Literal["elevater"] = "elevater"
    dataset: str
    """What its folder is called, without the date behind it."""
    lists: dict[Literal["test", "train", "val"], str] = Field(
        default={"train": "train.txt", "val": "val.txt", "test": "test.txt"}
    )
    """The list of each split. Only that of `test` must be there."""
    labels: str = "labels.txt"
    """The file that has the name of a class on each line. COCO's JSON needs none."""
    several: bool = False
    """Whether an image may have several classes."""

    @property
    def label(self) -> str:
        """See `ReaderSpec`."""
        return self.name or self.dataset

    def missing(self) -> tuple[Path, ...]:
        """See `ReaderSpec`."""
        folder = self._folder()
        if folder is None:
            return (self.path.expanduser() / "classification" / f"{self.dataset}_<date>",)
        return () if (folder / self.lists["test"]).is_file() else (folder / self.lists["test"],)

    @property
    def layout(self) -> str:
        """See `ReaderSpec`."""
        place = self.path.expanduser() / "classification" / f"{self.dataset}_<date>"
        labels = "" if self.lists["test"].endswith(".json") else f"{self.labels}, "
        return f"put {labels}{', '.join(self.lists.values())} and the zip archives they name into {place}/"

    def open(self) -> Benchmark:
        """See `ReaderSpec`."""
        folder = self._folder()
        if folder is None or self.missing():
            raise DataError(f"there is no {self.missing()[0]}", hint=self.layout)
        read = {
            split: _read(folder / file) for split, file in self.lists.items() if (folder / file).is_file()
        }
        keys = read["test"].classes or self._lines(folder, self.lists["test"])
        for split, found in read.items():
            if found.classes and found.classes != keys:
                raise DataError(f"{self.lists[split]} in {folder} has other categories than the test list")
        parts = {
            split: self._labelled(folder, self.lists[split], found, keys) for split, found in read.items()
        }
        return self.benchmark(Found(keys, "test", parts["test"], parts.get("train"), parts.get("val")))

    def _folder(self) -> Path | None:
        """The folder of the data set, the latest if there are several."""
        root = self.path.expanduser()
        for above in (root / "classification", root):
            if not above.is_dir():
                continue
            dated = sorted(
                path
                for path in above.glob(f"{self.dataset}_*")
                if path.is_dir() and _is_date(path, self.dataset)
            )
            if dated or (above / self.dataset).is_dir():
                return dated[-1] if dated else above / self.dataset
        return None

    def _lines(self, folder: Path, file: str) -> list[str]:
        """The names of the classes."""
        if file.endswith(".json"):
            return []
        path = folder / self.labels
        if not path.is_file():
            raise DataError(f"there is no {path}", hint=self.layout)
        return [line.strip() for line in path.read_text("utf-8-sig").splitlines() if line.strip()]

    def _labelled(self, folder: Path, file: str, found: _List, keys: Sequence[str]) -> Labelled:
        place = str(folder / file)
        first = np.array([labels[0] if labels else -1 for labels in found.labels], np.int64)
        images = images_at(folder, found.files)
        rows = np.arange(len(first))
        if not self.several:
            if (
                bad := next((n for n, labels in enumerate(found.labels) if len(labels) != 1), None)
            ) is not None:
                raise DataError(
                    f"{place}: {found.files[bad]} has {len(found.labels[bad])} labels instead of one"
                )
            return Labelled(images, rows, checked(first, len(keys), place))
        flat = np.array([label for labels in found.labels for label in labels], np.int64)
        checked(flat, len(keys), place)
        targets = np.zeros((len(first), len(keys)), np.int8)
        targets[np.repeat(rows, [len(labels) for labels in found.labels]), flat] = 1
        return Labelled(images, rows, np.where(targets.any(axis=1), targets.argmax(axis=1), -1), targets)


@dataclass(frozen=True, slots=True)
class _List:
    """A list of images."""

    files: list[str]
    """Paths, or `archive@path` in it."""
    labels: list[list[int]]
    classes: list[str]
    """Names in the order of labels, if the list has them."""


def images_at(folder: Path, files: Sequence[str]) -> Images:
    """Images below a folder, all in files or all in archives (`archive.zip@path`).

    Raises:
        DataError: an archive is missing or damaged, or there is some of both.
    """
    split = [file.partition("@") for file in files]
    if not any(at for _, at, _ in split):
        return FolderImages(folder, list(files))
    if not all(at for _, at, _ in split):
        raise DataError(f"{folder}: some images are in archives and some are not")
    archives = {
        archive: number for number, archive in enumerate(dict.fromkeys(archive for archive, _, _ in split))
    }
    members = [member for _, _, member in split]
    return ZipImages(
        [folder / name for name in archives], [archives[archive] for archive, _, _ in split], members
    )


def _is_date(path: Path, dataset: str) -> bool:
    return path.name.removeprefix(f"{dataset}_").isdigit()


def _read(path: Path) -> _List:
    return _read_coco(path) if path.suffix == ".json" else _read_lines(path)


def _read_lines(path: Path) -> _List:
    """A path may hold spaces, so the labels are what follows the last."""
    files: list[str] = []
    labels: list[list[int]] = []
    for number, line in enumerate(path.read_text("utf-8-sig").splitlines(), 1):
        if not line.strip():
            continue
        file, _, tail = line.strip().rpartition(" ")
        try:
            found = [int(part) for part in tail.split(",")]
        except ValueError:
            file, found = line.strip(), []
        if not file:
            raise DataError(f"{path}, line {number}: '{line:.60}' is not `path label`")
        files.append(file)
        labels.append(found)
    if not files:
        raise DataError(f"{path} is empty")
    return _List(files, labels, [])


def _read_coco(path: Path) -> _List:
    content = read_json(path)
    try:
        categories: list[Any] = sorted(content["categories"], key=lambda entry: entry["id"])
        images: list[Any] = sorted(content["images"], key=lambda entry: entry["id"])
        place_of = {entry["id"]: place for place, entry in enumerate(categories)}
        labels: dict[Any, list[int]] = {entry["id"]: [] for entry in images}
        for one in content["annotations"]:
            labels[one["image_id"]].append(place_of[one["category_id"]])
        files = [_in_archive(entry) for entry in images]
        names = [str(entry["name"]) for entry in categories]
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} is no COCO file of classes ({error!r:.80})",
            hint="it needs `images` (id, file_name), `annotations` (image_id, category_id), `categories`",
        ) from None
    if not files:
        raise DataError(f"{path} has no images")
    return _List(files, list(labels.values()), names)


def _in_archive(entry: dict[str, Any]) -> str:
    name, archive = str(entry["file_name"]), entry.get("zip_file")
    return f"{archive}@{name}" if archive and "@" not in name else name
