"""Labelled images that a file of JSON lines names, as Hateful Memes has them.

    path/dev.jsonl      {"img": "img/42953.png", "label": 1, ...} on each line
    path/img/42953.png

Kiela et al., The Hateful Memes Challenge, 2020. https://arxiv.org/abs/2005.04790
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.arrays import checked
from protoclip_cli.data.benchmarks.base import Benchmark, Labelled
from protoclip_cli.data.benchmarks.folder_images import FolderImages
from protoclip_cli.data.benchmarks.readers._classified import ClassifiedSpec, Found, all_rows


class JsonlSpec(ClassifiedSpec):
    """Lines of JSON, each with the path of an image and the number of its class."""

    kind: Literal["jsonl"] = "jsonl"
    test: str
    """The file with the rows to score."""
    train: str | None = None
    """The file with rows to fit on, if it is there."""
    image: str = "img"
    """The key of the image's path, which starts from `path`."""
    target: str = "label"
    """The key of the class, a number from 0."""
    number_of_classes: int = 2
    """How many classes there are."""

    def missing(self) -> tuple[Path, ...]:
        """See `ReaderSpec`."""
        place = self.path.expanduser() / self.test
        return () if place.is_file() else (place,)

    @property
    def layout(self) -> str:
        """See `ReaderSpec`."""
        files = " and ".join(file for file in (self.test, self.train) if file)
        return f"put {files}, and the images they name, into {self.path.expanduser()}/"

    def open(self) -> Benchmark:
        """See `ReaderSpec`."""
        root = self.path.expanduser()
        if self.missing():
            raise DataError(f"there is no file {root / self.test}", hint=self.layout)
        has_train = self.train is not None and (root / self.train).is_file()
        return self.benchmark(
            Found(
                keys=[str(number) for number in range(self.number_of_classes)],
                split=Path(self.test).stem,
                test=self._labelled(root / self.test),
                train=self._labelled(root / str(self.train)) if has_train else None,
                ordered=True,
            )
        )

    def _labelled(self, path: Path) -> Labelled:
        files, labels = [], []
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                files.append(str(row[self.image]))
                labels.append(int(row[self.target]))
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(
                    f"{path}, line {number} has no '{self.image}' and '{self.target}' ({error!r:.80})",
                    hint="test files of challenges come without labels: take the one for development",
                ) from None
        if not files:
            raise DataError(f"{path} is empty")
        rows, found = all_rows(labels)
        checked(found, self.number_of_classes, str(path))
        return Labelled(FolderImages(self.path.expanduser(), files), rows, found)
