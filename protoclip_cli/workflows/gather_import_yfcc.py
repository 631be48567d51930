"""`protoclip gather import --yfcc`: the table of YFCC15M."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from protoclip_cli.core.reporter import Reporter, Silent
from protoclip_cli.gathering.folder import GatherFolder
from protoclip_cli.gathering.yfcc import join_yfcc
from protoclip_cli.store.files import read_json, write_json


def gather_import_yfcc(source: Path, out: Path, *, reporter: Reporter | None = None) -> dict[str, Any]:
    """Join OpenAI's list, the captions and the archives of YFCC to one table for pairs of kind `yfcc_zip`.

    Args:
        source: the folder of the three published files.
        out: the folder for the table and its summary.
        reporter: who is told.

    Returns:
        The summary, as in `summary.json`.

    Raises:
        DataError: a file is missing or not what it should be.
        UsageError: `out` holds something else.
    """
    reporter, folder = reporter or Silent(), GatherFolder(out)
    origin = {"version": 1, "imported": str(source.resolve()), "layout": "yfcc"}
    with folder.alone():
        table = folder.table(None, "parquet")
        if folder.open(origin) and folder.summary.is_file() and table.is_file():
            reporter.note(f"{out} is finished; nothing to do")
        else:
            folder.begin(origin)
            counts = join_yfcc(source, table, folder.begun / table.name, reporter)
            write_json(folder.summary, {"version": 1, "outcomes": counts, "tables": [table.name]})
    return dict(read_json(folder.summary))
