"""ObjectNet's 113 classes that ImageNet has too, each called as ObjectNet calls it.

    path/images/<class>/...png, or path/objectnet-1.0/images/<class>/...png
    path/mappings/folder_to_objectnet_label.json, objectnet_to_imagenet_1k.json

Barbu et al., ObjectNet, 2019. https://objectnet.dev. Its images have a red border of one pixel, which is cut.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from PIL.Image import Image
from pydantic import Field

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.base import Benchmark, Images, Labelled
from protoclip_cli.data.benchmarks.folder_images import FolderImages, scan
from protoclip_cli.data.benchmarks.readers._classified import ClassifiedSpec, Found
from protoclip_cli.data.benchmarks.sources import read_json
from protoclip_cli.data.fingerprints import fingerprint

_LABELS = "folder_to_objectnet_label.json"
_SHARED = "objectnet_to_imagenet_1k.json"


class ObjectnetSpec(ClassifiedSpec):
    """ObjectNet, the classes that it shares with ImageNet."""

    kind: Literal["objectnet"] = "objectnet"
    border: int = Field(1, ge=0)
    """Pixels to cut on every side. Papers that leave it on have other scores."""

    def missing(self) -> tuple[Path, ...]:
        """See `ReaderSpec`."""
        images = self._first("objectnet-1.0/images", "images")
        files = [
            self._first(f"objectnet-1.0/mappings/{name}", f"mappings/{name}", name)
            for name in (_LABELS, _SHARED)
        ]
        return tuple(place for place in (images, *files) if not place.exists())

    @property
    def layout(self) -> str:
        """See `ReaderSpec`."""
        root = self.path.expanduser()
        return (
            f"unpack the archive of objectnet.dev so that {root}/objectnet-1.0/ holds images/ and mappings/"
        )

    def open(self) -> Benchmark:
        """See `ReaderSpec`."""
        if absent := self.missing():
            raise DataError(f"there is no {absent[0]}", hint=self.layout)
        root = self._first("objectnet-1.0/images", "images")
        label_of, shared = (
            read_json(self._first(f"objectnet-1.0/mappings/{name}", f"mappings/{name}", name))
            for name in (_LABELS, _SHARED)
        )
        if not isinstance(label_of, dict) or not isinstance(shared, dict):
            raise DataError(f"{_LABELS} and {_SHARED} must be JSON objects", hint=self.layout)
        wanted = {str(folder): str(label) for folder, label in label_of.items() if label in shared}
        found = scan(root)
        if absent_folders := sorted(set(wanted) - found.files.keys()):
            raise DataError(
                f"{root} has no images for {len(absent_folders)} classes: {', '.join(absent_folders[:5])}",
                hint=self.layout,
            )
        folders = sorted(wanted)
        files = [file for folder in folders for file in found.files[folder]]
        labels = np.repeat(np.arange(len(folders)), [len(found.files[folder]) for folder in folders])
        images = BorderlessImages(FolderImages(root, files), self.border)
        keys = [wanted[folder] for folder in folders]
        return self.benchmark(Found(keys, "test", Labelled(images, np.arange(len(files)), labels)))

    def _first(self, *places: str) -> Path:
        """The first place that is there, or else the first."""
        root = self.path.expanduser()
        return next((root / place for place in places if (root / place).exists()), root / places[0])


class BorderlessImages:
    """Images by row without their outermost pixels."""

    in_memory = False

    def __init__(self, images: Images, border: int) -> None:
        """Keep the images.

        Args:
            images: with a border.
            border: pixels to cut on every side.
        """
        self._images, self._border = images, border

    @property
    def fingerprint(self) -> str:
        """Changes with the images and with what is cut."""
        return fingerprint(self._images.fingerprint, str(self._border))

    def __len__(self) -> int:
        """How many there are."""
        return len(self._images)

    def image(self, row: int, draft: int | None = None) -> Image:  # noqa: ARG002 (a smaller border is blurred)
        """The image of a row, in RGB."""
        image, cut = self._images.image(row), self._border
        return image.crop((cut, cut, image.width - cut, image.height - cut)) if cut else image

    def place(self, row: int) -> str:
        """Where the image of a row is, for messages."""
        return self._images.place(row)
