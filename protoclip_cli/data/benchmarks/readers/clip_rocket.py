"""A data set of clip-rocket's (or SLIP's) own files, read as they are.

    dataset_catalog.json    {"cub200": {"path": "cub", "type": "imagefolder", "train": "train", "test": "v"}}
    labels.json             {"cub200": ["name", ["name", "synonym"], ...]}
    templates.json          {"cub200": ["a photo of a {}, a kind of bird."]}

Lists of names are in the order of folders sorted as texts, so `10` comes before `3`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.base import Benchmark, Metric
from protoclip_cli.data.benchmarks.readers.base import ReaderSpec
from protoclip_cli.data.benchmarks.readers.class_folders import ClassFoldersSpec
from protoclip_cli.data.benchmarks.readers.file_arrays import FileArraysSpec
from protoclip_cli.data.benchmarks.readers.torchvision import TorchvisionSpec
from protoclip_cli.data.benchmarks.sources import read_json

_SPECIAL = {"cifar10": "CIFAR10", "cifar100": "CIFAR100", "stl10": "STL10", "mnist": "MNIST"}
_METRICS: dict[str, Metric] = {
    "aircraft": "mean_per_class",
    "pets": "mean_per_class",
    "caltech101": "mean_per_class",
    "flowers": "mean_per_class",
    "hateful_memes": "roc_auc",
}


class ClipRocketSpec(ReaderSpec):
    """An entry of a dataset_catalog.json."""

    kind: Literal["clip_rocket"] = "clip_rocket"
    catalog: Path
    """The dataset_catalog.json."""
    dataset: str
    """Which entry."""
    labels: Path | None = None
    """The file of class names. Left out: labels.json beside the catalog."""
    templates: Path | None = None
    """The file of templates. Left out: templates.json beside the catalog."""

    @property
    def label(self) -> str:
        """See `ReaderSpec`."""
        return self.name or self.dataset

    def missing(self) -> tuple[Path, ...]:
        """See `ReaderSpec`."""
        absent = tuple(path for path in self._files if not path.is_file())
        return absent or self._reader().missing()

    @property
    def layout(self) -> str:
        """See `ReaderSpec`."""
        return f"{self._files[0]} says where the data set is; labels.json and templates.json belong beside it"

    def open(self) -> Benchmark:
        """See `ReaderSpec`."""
        if absent := self.missing():
            raise DataError(f"there is no {absent[0]}", hint=self.layout)
        return self._reader().open()

    @property
    def _files(self) -> tuple[Path, Path, Path]:
        catalog = self.catalog.expanduser()
        labels = self.labels or catalog.parent / "labels.json"
        templates = self.templates or catalog.parent / "templates.json"
        return catalog, labels.expanduser(), templates.expanduser()

    def _reader(self) -> ReaderSpec:
        catalog, labels, templates = self._files
        entries = read_entries(catalog)
        if self.dataset not in entries:
            raise DataError(f"{catalog} has no '{self.dataset}'", hint=f"it has {', '.join(entries)}")
        entry = entries[self.dataset]
        common: dict[str, Any] = {
            "name": self.label,
            "path": catalog.parent / str(entry.get("path", "")),
            "classes": f"{labels}:{self.dataset}",
            "templates": f"{templates}:{self.dataset}",
            "metric": _METRICS.get(self.dataset, "top1"),
        }
        match entry.get("type"):
            case "imagefolder" if "test" in entry:
                return ClassFoldersSpec(
                    **common, test=(str(entry["test"]),), train=_some(entry.get("train")), string_order=True
                )
            case "filelist" if "test" in entry:
                return FileArraysSpec(
                    **common, test=entry["test"], train=entry.get("train"), string_order=True
                )
            case "special" if self.dataset in _SPECIAL:
                return TorchvisionSpec(**common, dataset=_SPECIAL[self.dataset])
        raise DataError(
            f"{catalog}: the entry '{self.dataset}' cannot be read",
            hint="`type` is imagefolder or filelist with `test`, or special for " + ", ".join(_SPECIAL),
        )


def _some(folder: Any) -> tuple[str, ...]:
    return (str(folder),) if folder else ()


def read_entries(catalog: Path) -> dict[str, dict[str, Any]]:
    """The entries of a catalog.

    Raises:
        DataError: it is not one.
    """
    content = read_json(catalog)
    if not isinstance(content, dict) or not all(isinstance(entry, dict) for entry in content.values()):
        raise DataError(f"{catalog} is no catalog: it needs an object for every data set")
    return content


def all_of(catalog: Path, labels: Path | None = None, templates: Path | None = None) -> list[ClipRocketSpec]:
    """A reader of every entry of a catalog.

    Raises:
        DataError: it is not one.
    """
    return [
        ClipRocketSpec(catalog=catalog, dataset=name, labels=labels, templates=templates)
        for name in read_entries(catalog.expanduser())
    ]
