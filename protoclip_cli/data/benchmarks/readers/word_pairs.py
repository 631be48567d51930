"""Pairs of words with a score: RG65, SimLex-999, WordSim-353, or your own.

A line is `word1;word2;score`, without a header.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.data.benchmarks.readers.base import ReaderSpec
from protoclip_cli.data.benchmarks.text_files import LeftOut, need, number_in, numbered_lines
from protoclip_cli.data.benchmarks.text_tasks import WordPairs


class WordPairsSpec(ReaderSpec):
    """A file of word pairs with a score."""

    kind: Literal["word_pairs"] = "word_pairs"
    path: Path
    """The file."""
    delimiter: str = Field(";", min_length=1)
    """What stands between the fields."""

    @property
    def label(self) -> str:
        """See `ReaderSpec`."""
        return self.name or self.path.stem

    @property
    def layout(self) -> str:
        """See `ReaderSpec`."""
        form = self.delimiter.join(("word1", "word2", "score"))
        return f"write lines of `{form}`, without a header, to {self.path}"

    def missing(self) -> tuple[Path, ...]:
        """See `ReaderSpec`."""
        return () if self.path.expanduser().is_file() else (self.path,)

    def open(self) -> Benchmark:
        """See `ReaderSpec`."""
        path, left_out = need(self.path, self.layout), LeftOut()
        rows = []
        for number, line in numbered_lines(path, left_out):
            fields = [field.strip() for field in line.split(self.delimiter)]
            gold = number_in(fields[2]) if len(fields) == 3 else None
            if gold is None or not fields[0] or not fields[1]:
                left_out.add(path, number, f"it is not {self.delimiter.join(('word', 'word', 'score'))}")
            else:
                rows.append((fields[0], fields[1], gold))
        if len(rows) < 2:
            raise DataError(f"{path} has {len(rows)} pairs of words", hint=self.layout)
        first, second, golds = zip(*rows, strict=True)
        return Benchmark(
            name=self.label,
            split="all",
            texts=WordPairs(first, second, np.array(golds, np.float64)),
            notes=left_out.notes(),
        )
