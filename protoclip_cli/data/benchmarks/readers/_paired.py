"""Pairs as retrieval wants them: every image once, with all its captions."""

from __future__ import annotations

import numpy as np

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.base import Paired
from protoclip_cli.data.pairs.base import PairSource


def merged(source: PairSource) -> Paired:
    """The pairs of a source, with rows of one image merged.

    Raises:
        DataError: images share captions, so that no caption belongs to one of them.
    """
    if source.captions.shared:
        raise DataError(
            "captions written from the names of classes belong to no single image",
            hint="take pairs without `templates` to retrieve from",
        )
    positions: dict[str, int] = {}
    rows: list[int] = []
    owner = np.empty(len(source.captions), np.int64)
    for row in range(len(source)):
        position = positions.setdefault(source.place(row), len(rows))
        if position == len(rows):
            rows.append(row)
        captions = source.captions.of(row)
        owner[captions.start : captions.stop] = position
    texts = source.captions.slice(0, len(source.captions))
    return Paired(source, np.array(rows, np.int64), texts, owner)
