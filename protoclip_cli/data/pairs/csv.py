"""Pairs from a table: one image path and one caption a row."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from protoclip_cli.data.pairs._files import FilePairs
from protoclip_cli.data.pairs._table import TableSpec


class CsvPairs(TableSpec):
    """A table of image paths and captions: .tsv, .csv, .parquet or .jsonl."""

    kind: Literal["csv"] = "csv"
    """A table of image paths and captions: delimited text, .parquet or .jsonl."""
    delimiter: str | None = Field(None, min_length=1, max_length=1)
    """What separates the columns of delimited text. Null: found in the first line."""

    def open(self) -> FilePairs:
        return self.open_table(delimiter=self.delimiter)
