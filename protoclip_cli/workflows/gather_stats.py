"""`protoclip gather stats`: what is in a table before anyone trains on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.compute.randomness import generator
from protoclip_cli.core.errors import BadImage, UsageError
from protoclip_cli.core.reporter import Reporter, Silent
from protoclip_cli.data.captions import Captions
from protoclip_cli.data.pairs.base import PairSource
from protoclip_cli.data.tokens import tokenize

_CONTEXT = 77
_SAMPLE = 1000
_CHUNK = 65_536


def gather_stats(
    source: PairSource, *, sheet: Path | None = None, seed: int = 0, reporter: Reporter | None = None
) -> dict[str, Any]:
    """Measure captions and a sample of the images.

    Args:
        source: of pairs.
        sheet: a .png to draw, of some images with their captions.
        seed: of the sample.
        reporter: who is told.

    Returns:
        Counts; quantiles of lengths and sizes; duplicates.

    Raises:
        UsageError: the sheet is there already.
    """
    reporter = reporter or Silent()
    if sheet is not None and sheet.exists():
        raise UsageError(f"{sheet} is there already", hint="choose another name")
    reporter.note("counting tokens")
    lengths = _token_lengths(source.captions)
    rows = generator(seed, "stats").permutation(len(source))[:_SAMPLE]
    sides, bad = _sizes(source, rows, reporter)
    if sheet is not None:
        from protoclip_cli.gathering.contact_sheet import draw_sheet

        draw_sheet(source, sorted(rows[:64].tolist()), sheet)
    return {
        "rows": len(source),
        "captions": len(source.captions),
        "empty_captions": int((lengths <= 2).sum()),
        "duplicate_captions": _duplicates(source.captions),
        "tokens": _quantiles(lengths),
        "truncated_at_77": int((lengths > _CONTEXT).sum()),
        "images_looked_at": len(rows),
        "bad_images": bad,
        "width": _quantiles(sides[:, 0]),
        "height": _quantiles(sides[:, 1]),
        "aspect": _quantiles(sides.max(axis=1, initial=0) / sides.min(axis=1, initial=2**31).clip(1), 2),
    }


def _token_lengths(captions: Captions) -> NDArray[np.int64]:
    """Tokens of each caption by CLIP's tokenizer, with its two marks."""
    from open_clip.tokenizer import SimpleTokenizer

    tokens = tokenize(captions, SimpleTokenizer(), 4 * _CONTEXT)
    return np.diff(tokens.first)


def _duplicates(captions: Captions) -> int:
    """Captions that another one before them equals."""
    seen: set[int] = set()
    for start in range(0, len(captions), _CHUNK):
        seen.update(map(hash, captions.slice(start, min(start + _CHUNK, len(captions)))))
    return len(captions) - len(seen)


def _sizes(source: PairSource, rows: NDArray[np.int64], reporter: Reporter) -> tuple[NDArray[np.int64], int]:
    sizes, bad = [], 0
    for number, row in enumerate(rows.tolist(), 1):
        try:
            sizes.append(source.image(row).size)
        except BadImage:
            bad += 1
        reporter.progress("look at images", number, len(rows))
    return np.array(sizes, np.int64).reshape(-1, 2), bad


def _quantiles(values: NDArray[Any], digits: int = 0) -> dict[str, float]:
    if not len(values):
        return {}
    names = {"least": 0.0, "5 %": 0.05, "median": 0.5, "95 %": 0.95, "most": 1.0}
    return {name: round(float(np.quantile(values, q)), digits) for name, q in names.items()}
