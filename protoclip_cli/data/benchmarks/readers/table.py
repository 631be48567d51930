"""Retrieval on any source of pairs, such as a table of image paths and captions.

Rows with the same image are one image with several captions, in the order in which images first appear.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.data.benchmarks.readers._paired import merged
from protoclip_cli.data.benchmarks.readers.base import ReaderSpec
from protoclip_cli.data.pairs import PAIRS
from protoclip_cli.data.pairs.base import PairSpec


class TableSpec(ReaderSpec):
    """Images and captions to find each other."""

    kind: Literal["table"] = "table"
    path: Path | None = None
    """A table of image paths and captions."""
    pairs: PAIRS.any | None = None  # type: ignore[name-defined]
    """A source of pairs with its `kind` and settings, instead of `path`."""

    @model_validator(mode="after")
    def _one_source(self) -> TableSpec:
        if (self.path is None) == (self.pairs is None):
            raise ValueError("needs either `path` or `pairs`")
        return self

    @property
    def label(self) -> str:
        """See `ReaderSpec`."""
        path = self.path or getattr(self._source, "path", None)
        return self.name or (self._source.kind if path is None else Path(path).stem)

    def missing(self) -> tuple[Path, ...]:
        """See `ReaderSpec`. A source that is not a table finds out when it is opened."""
        if self.path is None or self.path.expanduser().is_file():
            return ()
        return (self.path.expanduser(),)

    @property
    def layout(self) -> str:
        """See `ReaderSpec`."""
        place = self.path or "a table"
        return f"write {place} with the columns filepath and title; paths start from its own folder"

    def open(self) -> Benchmark:
        """See `ReaderSpec`."""
        if self.missing():
            raise DataError(f"there is no table {self.path}", hint=self.layout)
        source = self._source.open()
        if not len(source):
            raise DataError(f"benchmark {self.label} has no pairs")
        return Benchmark(name=self.label, split="all", pairs=merged(source))

    @property
    def _source(self) -> PairSpec:
        return self.pairs or PAIRS.spec("csv").model_validate({"kind": "csv", "path": self.path})
