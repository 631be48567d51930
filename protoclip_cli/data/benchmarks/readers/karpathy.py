"""Retrieval on Karpathy's splits of COCO, Flickr30k and Flickr8k, which is what papers report.

Three forms of annotations are read: Karpathy's own dataset_*.json; a list of {"image", "caption": [...]}; and
lines of `image.jpg,caption` under a header.

Karpathy and Fei-Fei, 2015. https://arxiv.org/abs/1412.2306
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.base import Benchmark, Paired
from protoclip_cli.data.benchmarks.folder_images import SUFFIXES, FolderImages
from protoclip_cli.data.benchmarks.readers.base import ReaderSpec
from protoclip_cli.data.benchmarks.sources import read_json


class KarpathySpec(ReaderSpec):
    """Karpathy's split of a data set of images with several captions."""

    kind: Literal["karpathy"] = "karpathy"
    path: Path
    """The folder of the data set."""
    annotations: tuple[str, ...] = Field(min_length=1)
    """Files of annotations below the path, of which the first that is there is read."""
    images: tuple[str, ...] = ("images",)
    """Folders of the images below the path, of which the first that is there is used."""
    split: str = "test"
    """Which of Karpathy's splits. Files that hold one split only are taken to hold this."""
    captions_each: int | None = Field(None, gt=0)
    """Keep so many captions of an image, as papers keep five. Left out: all."""

    @property
    def label(self) -> str:
        """See `ReaderSpec`."""
        return self.name or f"{self.path.expanduser().resolve().name}_karpathy"

    def missing(self) -> tuple[Path, ...]:
        """See `ReaderSpec`."""
        root = self.path.expanduser()
        return tuple(
            root / names[0]
            for names in (self.annotations, self.images)
            if not any((root / name).exists() for name in names)
        )

    @property
    def layout(self) -> str:
        """See `ReaderSpec`."""
        root = self.path.expanduser()
        return (
            f"put {' or '.join(self.annotations)} into {root}/ and the images into {root / self.images[0]}/"
        )

    def open(self) -> Benchmark:
        """See `ReaderSpec`."""
        if absent := self.missing():
            raise DataError(f"there is no {absent[0]}", hint=self.layout)
        file, images = self._first(self.annotations), self._first(self.images)
        captions = self._captions(file)
        if not captions:
            raise DataError(f"{file} has no image of the split '{self.split}' with a caption")
        files = [_below(images, name) for name in captions]
        each = [texts[: self.captions_each] for texts in captions.values()]
        owner = np.repeat(np.arange(len(files)), [len(texts) for texts in each])
        texts = [text for some in each for text in some]
        paired = Paired(FolderImages(images, files), np.arange(len(files)), texts, owner)
        dropped = sum(len(texts) for texts in captions.values()) - len(texts)
        return Benchmark(
            name=self.label,
            split=f"karpathy_{self.split}",
            pairs=paired,
            notes=(f"{dropped:,} captions beyond the first {self.captions_each} of an image are left out",)
            if dropped
            else (),
        )

    def _first(self, names: tuple[str, ...]) -> Path:
        root = self.path.expanduser()
        return next(root / name for name in names if (root / name).exists())

    def _captions(self, file: Path) -> dict[str, list[str]]:
        """Captions by image, in the order of the file."""
        if file.suffix != ".json":
            return _from_lines(file)
        content = read_json(file)
        try:
            if isinstance(content, list):
                return {str(entry["image"]): _list(entry["caption"]) for entry in content}
            return {
                "/".join(part for part in (entry.get("filepath"), entry["filename"]) if part): [
                    str(sentence["raw"]).strip() for sentence in entry["sentences"]
                ]
                for entry in content["images"]
                if entry["split"] == self.split and entry["sentences"]
            }
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{file} is no file of Karpathy's splits ({error!r:.80})",
                hint="it needs `images` with filename, split and sentences",
            ) from None


def _list(captions: Any) -> list[str]:
    return [str(captions)] if isinstance(captions, str) else [str(caption) for caption in captions]


def _from_lines(file: Path) -> dict[str, list[str]]:
    """Captions may hold commas, file names do not."""
    found: dict[str, list[str]] = {}
    for number, line in enumerate(file.read_text("utf-8-sig").splitlines()):
        image, comma, caption = line.partition(",")
        if number == 0 and Path(image).suffix.lower() not in SUFFIXES:
            continue
        if not line.strip():
            continue
        if not comma or not caption.strip():
            raise DataError(f"{file}, line {number + 1}: '{line:.60}' is not `image,caption`")
        found.setdefault(image.strip(), []).append(caption.strip().strip('"').strip())
    return found


def _below(images: Path, name: str) -> str:
    """Where an image is: with the folder the annotations name, or without."""
    short = Path(name).name
    return short if not (images / name).is_file() and (images / short).is_file() else name
