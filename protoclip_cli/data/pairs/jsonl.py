"""Pairs from a file of one JSON object a line. `csv` reads these too; this kind takes nothing else."""

from __future__ import annotations

from typing import Literal

from protoclip_cli.data.pairs._files import FilePairs
from protoclip_cli.data.pairs._table import TableSpec


class JsonlPairs(TableSpec):
    """JSON lines of image paths and captions."""

    kind: Literal["jsonl"] = "jsonl"
    """JSON lines of image paths and captions."""

    def open(self) -> FilePairs:
        return self.open_table((".jsonl", ".ndjson"))
