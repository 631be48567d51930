"""`protoclip gather import`: tables of what another tool has gathered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from protoclip_cli.core.errors import DataError
from protoclip_cli.core.reporter import Reporter, Silent
from protoclip_cli.gathering.folder import GatherFolder
from protoclip_cli.gathering.importing import import_pairs
from protoclip_cli.gathering.imports import find_layout
from protoclip_cli.gathering.journal import Journal
from protoclip_cli.gathering.result import summarize, with_images, write_tables
from protoclip_cli.store.files import read_json, write_json


def gather_import(
    source: Path,
    out: Path,
    *,
    split: str | None = None,
    copy: bool = False,
    dedup: bool = False,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Make our tables of a folder that another tool has filled.

    Args:
        source: output of img2dataset (files, parquet, webdataset), .tar shards, or images beside texts.
        out: the folder to fill.
        split: what all rows belong to.
        copy: also copy images that are files of their own.
        dedup: of equal images keep only the first.
        reporter: who is told.

    Returns:
        The summary, as in `summary.json`.

    Raises:
        DataError: the folder holds nothing that is known.
        ProtoclipError: not one row has an image.
        UsageError: `out` holds something else.
    """
    reporter, folder = reporter or Silent(), GatherFolder(out)
    word, read = find_layout(source)
    origin = {"version": 1, "imported": str(source.resolve()), "layout": word, "split": split, "copy": copy}
    with folder.alone():
        begun = folder.open(origin)
        if begun and folder.summary.is_file():
            known: dict[str, Any] = read_json(folder.summary)
            if known["dedup"] == dedup:
                reporter.note(f"{out} is finished: {known['rows']:,} rows; nothing to do")
                return with_images(known, out)
        reporter.note(f"reading {word} in {source}")
        folder.begin(origin)
        rows = import_pairs(folder, read(source), split, copy=copy, reporter=reporter)
        if not rows:
            raise DataError(f"no pairs in {source}", hint="is it the right folder?")
        journal = Journal(folder.journal, rows)
        summary = summarize(folder, write_tables(folder, journal, rows, dedup=dedup), dedup=dedup)
        write_json(folder.summary, summary | {"layout": word})
    return with_images(dict(read_json(folder.summary)), out)
