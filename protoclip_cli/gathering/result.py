"""The tables that a gathering ends with, made anew from the list and the journal each time."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from protoclip_cli.core.errors import ProtoclipError
from protoclip_cli.gathering.folder import GatherFolder
from protoclip_cli.gathering.journal import Entry, Journal
from protoclip_cli.gathering.outcomes import Outcome
from protoclip_cli.gathering.pressure import diagnosis
from protoclip_cli.gathering.rows import read_rows
from protoclip_cli.store.files import disk_errors, flush_file, flush_folder

_SCHEMA = pa.schema(
    [
        ("filepath", pa.string()),
        ("title", pa.string()),
        ("url", pa.string()),
        ("sha256", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("status", pa.string()),
        ("detail", pa.string()),
        ("original_width", pa.int32()),
        ("original_height", pa.int32()),
        ("row", pa.int64()),
    ],
    # The reader of pairs then knows that rows without a path are no mistake.
    metadata={"protoclip.gathered": "1"},
)
_SHORT = ("filepath", "title", "url", "sha256", "width", "height", "status")


def write_tables(
    folder: GatherFolder, journal: Journal, rows: int, *, dedup: bool
) -> dict[str | None, dict[str, int]]:
    """Write the tables of every split.

    Args:
        folder: where the list is, and the tables go.
        journal: with an outcome for each row.
        rows: how many rows there are.
        dedup: of equal images keep only the one with the lowest row.

    Returns:
        By split, rows by status.
    """
    doubles = _doubles(journal, rows) if dedup else np.zeros(rows, bool)
    writers: dict[str | None, _Tables] = {}
    try:
        entries = journal.entries(range(rows))
        for batch in read_rows(folder.rows):
            columns = (batch.column(name).to_pylist() for name in ("url", "caption", "split"))
            for url, caption, split in zip(*columns, strict=True):
                if split not in writers:
                    writers[split] = _Tables(folder, split)
                entry = next(entries)
                writers[split].add(entry, url, caption, double=bool(doubles[entry.row]))
        for writer in writers.values():
            writer.finish()
    finally:
        for writer in writers.values():
            writer.close()
    flush_folder(folder.path)
    return {split: writer.counts for split, writer in writers.items()}


def summarize(
    folder: GatherFolder, tables: Mapping[str | None, Mapping[str, int]], *, dedup: bool
) -> dict[str, Any]:
    """What `summary.json` says of the tables that were written."""
    outcomes: Counter[str] = Counter()
    for counts in tables.values():
        outcomes.update(counts)
    return {
        "version": 1,
        "rows": outcomes.total(),
        "ok": outcomes[Outcome.OK.value],
        "outcomes": dict(sorted(outcomes.items(), key=lambda item: (-item[1], item[0]))),
        "splits": {split or "all": dict(counts) for split, counts in tables.items()},
        "dedup": dedup,
        "tables": [folder.table(split, "tsv").name for split in tables],
    }


def with_images(summary: dict[str, Any], out: Path) -> dict[str, Any]:
    """The summary, if there is anything to train with.

    Raises:
        ProtoclipError: not one row has an image.
    """
    if not summary["ok"]:
        failures = ", ".join(f"{count:,} {name}" for name, count in summary["outcomes"].items())
        advice = diagnosis(summary["outcomes"]) or f"{out} keeps the outcome of each row"
        raise ProtoclipError(f"none of {summary['rows']:,} rows has an image: {failures}", hint=advice)
    return summary


def _doubles(journal: Journal, rows: int) -> NDArray[np.bool_]:
    """(rows,), whether an earlier row has the same image."""
    hashes = np.zeros((rows, 16), np.uint8)
    has = np.zeros(rows, bool)
    for entry in journal.entries(range(rows)):
        if entry.outcome is Outcome.OK and entry.sha256 is not None:
            hashes[entry.row] = np.frombuffer(bytes.fromhex(entry.sha256)[:16], np.uint8)
            has[entry.row] = True
    found = np.flatnonzero(has)
    _, first = np.unique(hashes[found].view("V16").ravel(), return_index=True)
    doubles = has.copy()
    doubles[found[first]] = False
    return doubles


class _Tables:
    """Both tables of a split, beside their places until they are whole."""

    def __init__(self, folder: GatherFolder, split: str | None) -> None:
        self.counts: dict[str, int] = {}
        self._places = {suffix: folder.table(split, suffix) for suffix in ("parquet", "tsv")}
        self._beside = {suffix: folder.begun / path.name for suffix, path in self._places.items()}
        self._writer = pq.ParquetWriter(self._beside["parquet"], _SCHEMA, compression="zstd")
        self._file = self._beside["tsv"].open("w", encoding="utf-8", newline="")
        self._lines = csv.writer(self._file, delimiter="\t", lineterminator="\n")
        self._lines.writerow(_SHORT)
        self._rows: list[dict[str, Any]] = []

    def add(self, entry: Entry, url: str, caption: str, *, double: bool) -> None:
        """Add a row."""
        status = Outcome.DUPLICATE if double else entry.outcome
        has = status is Outcome.OK
        row = {
            "filepath": entry.file if has else None,
            "title": caption,
            "url": url,
            "sha256": entry.sha256,
            "width": entry.width,
            "height": entry.height,
            "status": status.value,
            "detail": entry.detail,
            "original_width": entry.original_width,
            "original_height": entry.original_height,
            "row": entry.row,
        }
        self.counts[status.value] = self.counts.get(status.value, 0) + 1
        self._rows.append(row)
        if has:
            short = {**row, "title": " ".join(caption.split()), "url": " ".join(url.split())}
            self._lines.writerow([short[name] for name in _SHORT])
        if len(self._rows) == 16_384:
            self._write()

    def _write(self) -> None:
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=_SCHEMA))
        self._rows = []

    def finish(self) -> None:
        """Put both in their places."""
        self._write()
        self.close()
        for suffix, path in self._places.items():
            with disk_errors(f"writing {path}"):
                flush_file(self._beside[suffix])
                self._beside[suffix].replace(path)

    def close(self) -> None:
        """Let go of the files."""
        self._writer.close()
        self._file.close()
