"""Pairs from a Parquet table. `csv` reads these too; this kind takes nothing else."""

from __future__ import annotations

from typing import Literal

from protoclip_cli.data.pairs._files import FilePairs
from protoclip_cli.data.pairs._table import TableSpec


class ParquetPairs(TableSpec):
    """A Parquet table of image paths and captions."""

    kind: Literal["parquet"] = "parquet"
    """A Parquet table of image paths and captions."""

    def open(self) -> FilePairs:
        return self.open_table((".parquet", ".pq"))
