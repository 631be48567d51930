"""Benchmarks in a folder of files whose names the recipe may change."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from protoclip_cli.data.benchmarks.readers.base import ReaderSpec


class NamedFilesSpec(ReaderSpec):
    """A folder, and fields with the names of what must be in it."""

    path: Path
    """The folder of the files below."""

    named: ClassVar[tuple[str, ...]] = ()
    """Fields that hold a name of a file or folder, in the order of `files`."""

    folders: ClassVar[tuple[str, ...]] = ()
    """Those of them that name a folder."""

    @property
    def label(self) -> str:
        """See `ReaderSpec`."""
        return self.name or self.path.expanduser().resolve().name

    def missing(self) -> tuple[Path, ...]:
        """See `ReaderSpec`."""
        places = zip(self.named, self.files(), strict=True)
        return tuple(
            at for field, at in places if not (at.is_dir() if field in self.folders else at.is_file())
        )

    def files(self) -> list[Path]:
        """Where the named files are, or should be."""
        root = self.path.expanduser()
        return [root / getattr(self, field) for field in self.named]
