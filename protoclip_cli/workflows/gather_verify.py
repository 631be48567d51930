"""`protoclip gather verify`: decode every image of a table once."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

from protoclip_cli.compute.processes import available_cores
from protoclip_cli.core.errors import UsageError
from protoclip_cli.core.reporter import Reporter, Silent
from protoclip_cli.data.pairs.base import PairSource
from protoclip_cli.gathering.verifying import bad_images
from protoclip_cli.store.files import write_text


def gather_verify(
    source: PairSource,
    *,
    keep_good: Path | None = None,
    processes: int | None = None,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Find the images that training could not use.

    Args:
        source: of pairs, one file an image if `keep_good` is given.
        keep_good: a table to write with the good rows only.
        processes: how many decode. None: as many as there are cores.
        reporter: who is told.

    Returns:
        Rows, and the bad ones with the reason of each.

    Raises:
        UsageError: the table to write is there already, or images are no files.
    """
    if keep_good is not None and keep_good.exists():
        raise UsageError(f"{keep_good} is there already", hint="choose another name")
    bad = bad_images(source, processes=processes or available_cores(), reporter=reporter or Silent())
    if keep_good is not None:
        write_text(keep_good, _table(source, bad, keep_good.parent))
    listed = [{"row": row, "why": why} for row, why in sorted(bad.items())]
    return {"rows": len(source), "bad": len(bad), "images": listed}


def _table(source: PairSource, bad: dict[int, str], folder: Path) -> str:
    text, captions = io.StringIO(), source.captions
    lines = csv.writer(text, delimiter="\t", lineterminator="\n")
    lines.writerow(("filepath", "title"))
    for row in range(len(source)):
        if row in bad:
            continue
        place = Path(source.place(row))
        if not place.is_file():
            raise UsageError(
                f"row {row} is no file of its own: {place}", hint="only tables of files can be written again"
            )
        name = os.path.relpath(place.absolute(), folder.absolute())
        lines.writerows((name, " ".join(captions[caption].split())) for caption in captions.of(row))
    return text.getvalue()
