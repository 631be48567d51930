"""Retrieval on a COCO captions file, with all captions of every image: val2017, as ProtoCLIP reports it.

Not Karpathy's split, which papers report: `karpathy` reads that, and numbers of the two cannot be compared.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.data.benchmarks.readers._paired import merged
from protoclip_cli.data.benchmarks.readers.base import ReaderSpec
from protoclip_cli.data.pairs.coco_captions import CocoCaptionPairs


class CocoCaptionsSpec(ReaderSpec):
    """A COCO captions file and the folder of its images."""

    kind: Literal["coco_captions"] = "coco_captions"
    path: Path
    """The captions file, such as coco2017/annotations/captions_val2017.json."""
    images: Path | None = None
    """The folder of the images. Left out: the split's, beside that of the file."""
    split: str | None = None
    """What scores call the rows. Left out: the file's own name for them, such as val2017."""

    @property
    def label(self) -> str:
        """See `ReaderSpec`."""
        return self.name or self.path.stem

    def missing(self) -> tuple[Path, ...]:
        """See `ReaderSpec`."""
        return tuple(place for place in (self.path.expanduser(), self._images) if not place.exists())

    @property
    def layout(self) -> str:
        """See `ReaderSpec`."""
        return f"put the captions at {self.path.expanduser()} and the images into {self._images}/"

    def open(self) -> Benchmark:
        """See `ReaderSpec`."""
        if absent := self.missing():
            raise DataError(f"there is no {absent[0]}", hint=self.layout)
        source = CocoCaptionPairs(path=self.path.expanduser(), images_root=self._images).open()
        notes = tuple(f"{note}: {count:,}" for note, count in source.notes.items())
        return Benchmark(
            name=self.label, split=self.split or self._own_name, pairs=merged(source), notes=notes
        )

    @property
    def _own_name(self) -> str:
        return self.path.stem.removeprefix("captions_")

    @property
    def _images(self) -> Path:
        path = self.images or self.path.parent.parent / self._own_name
        return path.expanduser()
