"""Passage retrieval in the files of MS MARCO, or your own in their form.

    path/collection.tsv          passage number, tab, text
    path/queries.dev.small.tsv   query number, tab, text
    path/qrels.dev.tsv           query number, 0, passage number, 1: what is relevant

Queries without a relevant passage are not used.

Bajaj et al., MS MARCO: A Human Generated MAchine Reading COmprehension Dataset, 2016.
https://arxiv.org/abs/1611.09268
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.data.benchmarks.passage_file import refuse_twice, scan_passages
from protoclip_cli.data.benchmarks.readers._named_files import NamedFilesSpec
from protoclip_cli.data.benchmarks.text_files import LeftOut, need, numbered_lines
from protoclip_cli.data.benchmarks.text_tasks import Passages


class PassagesSpec(NamedFilesSpec):
    """Queries, a corpus, and which passages answer which queries."""

    kind: Literal["passages"] = "passages"
    corpus: str = "collection.tsv"
    """Name of the file of passages."""
    queries: str = "queries.dev.small.tsv"
    """Name of the file of queries."""
    judgements: str = "qrels.dev.tsv"
    """Name of the file that says which passages are relevant."""
    corpus_max: int | None = Field(None, ge=0)
    """Use the relevant passages and only so many others, the first ones. Left out: all. A smaller corpus is
    an easier one, and its scores are not comparable."""
    split: str = "dev"
    """What scores call the queries."""

    named: ClassVar[tuple[str, ...]] = ("corpus", "queries", "judgements")

    @property
    def layout(self) -> str:
        """See `ReaderSpec`."""
        return (
            f"put {self.corpus}, {self.queries} and {self.judgements} into {self.path}; MS MARCO has them as "
            "collectionandqueries.tar.gz"
        )

    def open(self) -> Benchmark:
        """See `ReaderSpec`."""
        corpus_file, query_file, judgement_file = (need(file, self.layout) for file in self.files())
        left_out, notes = LeftOut(), []
        queries = _queries(query_file, left_out)
        relevant = _judgements(judgement_file, left_out)
        used = [name for name in queries if name in relevant]
        if not used:
            raise DataError(
                f"no query of {query_file} has a relevant passage in {judgement_file.name}",
                hint="; ".join(("the two must be of the same split", *left_out.notes())),
            )
        if unjudged := len(queries) - len(used):
            notes.append(f"queries without a relevant passage, which are not used: {unjudged:,}")
        wanted = {passage for name in used for passage in relevant[name]}
        corpus, rows = scan_passages(corpus_file, wanted, self.corpus_max, left_out)
        if absent := len(wanted - rows.keys()):
            notes.append(
                f"relevant passages that are not in {corpus_file.name} and so are missed: {absent:,}"
            )
        found = tuple(
            np.array(sorted(rows[passage] for passage in relevant[name] if passage in rows), np.int64)
            for name in used
        )
        return Benchmark(
            name=self.label,
            split=self.split,
            texts=Passages(
                queries=[queries[name] for name in used],
                corpus=corpus,
                relevant=found,
                judged=np.array([len(relevant[name]) for name in used], np.int64),
            ),
            notes=(*notes, *left_out.notes()),
        )


def _queries(path: Path, left_out: LeftOut) -> dict[str, str]:
    """Texts by number of the query."""
    found: list[tuple[int, str, str]] = []
    for number, line in numbered_lines(path, left_out):
        name, tab, text = line.partition("\t")
        if not tab or not name:
            left_out.add(path, number, "it is not a query's number, a tab and its text")
        elif not text.strip():
            left_out.add(path, number, "the query is empty")
        else:
            found.append((number, name, text))
    refuse_twice(path, ((number, name) for number, name, _ in found), lambda name: f"query {name}")
    return {name: text for _, name, text in found}


def _judgements(path: Path, left_out: LeftOut) -> dict[str, set[str]]:
    """Relevant passages by number of the query. A judgement of 0 says that one is not relevant."""
    found: dict[str, set[str]] = {}
    for number, line in numbered_lines(path, left_out):
        fields = line.split()
        if len(fields) != 4 or not fields[3].lstrip("-").isdigit():
            left_out.add(path, number, "it is not `query 0 passage 1`")
        elif int(fields[3]) > 0:
            found.setdefault(fields[0], set()).add(fields[2])
    return found
