"""Pairs of sentences with a score, in a table: `stsbenchmark.tsv.gz` of sentence-transformers, or your own.

The first line names the columns. Quotes are characters like any other where tabs stand between the fields; a
table with commas follows RFC 4180.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.data.benchmarks.readers.base import ReaderSpec
from protoclip_cli.data.benchmarks.text_files import LeftOut, need, number_in
from protoclip_cli.data.benchmarks.text_tables import named_fields
from protoclip_cli.data.benchmarks.text_tasks import SentencePairs


class SentencePairsSpec(ReaderSpec):
    """A table of sentence pairs with a score."""

    kind: Literal["sentence_pairs"] = "sentence_pairs"
    path: Path
    """The table, with tabs or commas; one that ends in `.gz` is unpacked."""
    split: str | None = None
    """Only rows whose column `split` says this. Left out: all rows."""
    first_column: str = "sentence1"
    """Column of the first sentences."""
    second_column: str = "sentence2"
    """Column of the second sentences."""
    score_column: str = "score"
    """Column of the scores; only their order counts."""

    @property
    def label(self) -> str:
        """See `ReaderSpec`."""
        return self.name or self.path.name.partition(".")[0]

    @property
    def layout(self) -> str:
        """See `ReaderSpec`."""
        return (
            f"put a table with the columns {self.first_column}, {self.second_column} and {self.score_column} "
            f"at {self.path}"
        )

    def missing(self) -> tuple[Path, ...]:
        """See `ReaderSpec`."""
        return () if self.path.expanduser().is_file() else (self.path,)

    def open(self) -> Benchmark:
        """See `ReaderSpec`."""
        path, left_out = need(self.path, self.layout), LeftOut()
        columns = [self.first_column, self.second_column, self.score_column]
        first, second, golds = [], [], []
        for number, row in named_fields(
            path, [*columns, *(["split"] if self.split is not None else [])], left_out
        ):
            if self.split is not None and row[3] != self.split:
                continue
            if (gold := number_in(row[2])) is None:
                left_out.add(path, number, "its score is no number")
                continue
            first.append(row[0])
            second.append(row[1])
            golds.append(gold)
        if len(golds) < 2:
            of = "" if self.split is None else f" of split {self.split}"
            raise DataError(f"{path} has {len(golds)} pairs{of}", hint=self.layout)
        return Benchmark(
            name=self.label,
            split=self.split or "all",
            texts=SentencePairs(
                first, second, np.array(golds), np.zeros(len(golds), np.int64), (self.label,)
            ),
            notes=left_out.notes(),
        )
