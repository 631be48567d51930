"""Triplets of sentences in a table: Wiki Sections, or your own.

The columns Sentence1, Sentence2 and Sentence3 hold the anchor, the sentence of the same section, and that of
another section.

Ein-Dor et al., Learning Thematic Similarity Metric from Article Sections Using Triplet Networks, 2018.
https://aclanthology.org/P18-2009
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.data.benchmarks.readers.base import ReaderSpec
from protoclip_cli.data.benchmarks.text_files import LeftOut, need
from protoclip_cli.data.benchmarks.text_tables import named_fields
from protoclip_cli.data.benchmarks.text_tasks import Triplets

_COLUMNS = ("Sentence1", "Sentence2", "Sentence3")


class TripletsSpec(ReaderSpec):
    """A table of anchors, what belongs to them, and what does not."""

    kind: Literal["triplets"] = "triplets"
    path: Path
    """The table, with commas or tabs; one that ends in `.gz` is unpacked."""
    columns: tuple[str, str, str] = _COLUMNS
    """Columns of the anchors, the positives and the negatives."""

    @property
    def label(self) -> str:
        """See `ReaderSpec`."""
        return self.name or self.path.name.partition(".")[0]

    @property
    def layout(self) -> str:
        """See `ReaderSpec`."""
        return f"put a table with the columns {', '.join(self.columns)} at {self.path}"

    def missing(self) -> tuple[Path, ...]:
        """See `ReaderSpec`."""
        return () if self.path.expanduser().is_file() else (self.path,)

    def open(self) -> Benchmark:
        """See `ReaderSpec`."""
        path, left_out = need(self.path, self.layout), LeftOut()
        rows = []
        for number, row in named_fields(path, self.columns, left_out):
            if all(text.strip() for text in row):
                rows.append(row)
            else:
                left_out.add(path, number, "a sentence is empty")
        if not rows:
            raise DataError(f"{path} has no triplets", hint=self.layout)
        anchors, positives, negatives = zip(*rows, strict=True)
        return Benchmark(
            name=self.label,
            split="test",
            texts=Triplets(anchors, positives, negatives),
            notes=left_out.notes(),
        )
