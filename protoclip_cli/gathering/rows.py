"""The rows of all lists in one file, so that a row has a number and work can go on without the lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from protoclip_cli.compute.randomness import generator
from protoclip_cli.core.errors import DataError
from protoclip_cli.gathering.lists import UrlList
from protoclip_cli.store.files import disk_errors, flush_file

_BATCH = 16_384
SCHEMA = pa.schema([("url", pa.string()), ("caption", pa.string()), ("split", pa.string())])


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows of each list are wanted."""

    limit: int | None = None
    """The first so many."""
    sample: int | None = None
    """So many, each row as likely as any other; of the first ones where there is a limit."""
    seed: int = 0

    def of(self, source: UrlList, number: int) -> Iterator[tuple[str, str]]:
        """The wanted rows of the list with a number, in its order."""
        if self.sample is None:
            yield from self._first(source)
            return
        total = sum(1 for _ in self._first(source))
        if total <= self.sample:
            yield from self._first(source)
            return
        chosen = np.zeros(total, bool)
        chosen[generator(self.seed, "gather", number).choice(total, self.sample, replace=False)] = True
        yield from (pair for pair, wanted in zip(self._first(source), chosen, strict=True) if wanted)

    def _first(self, source: UrlList) -> Iterator[tuple[str, str]]:
        for number, pair in enumerate(source.pairs()):
            if number == self.limit:
                return
            yield pair


def write_rows(path: Path, beside: Path, lists: Sequence[UrlList], selection: Selection) -> int:
    """Write the wanted rows of all lists to a file, whole or not at all.

    Returns:
        How many there are.

    Raises:
        DataError: a list is not what it should be, or there are no rows.
    """
    count = 0
    with disk_errors(f"writing {path}"):
        with pq.ParquetWriter(beside, SCHEMA, compression="zstd") as writer:
            for number, source in enumerate(lists):
                for batch in _batches(selection.of(source, number), source.split):
                    writer.write_batch(batch)
                    count += len(batch)
        if not count:
            raise DataError(
                f"no rows in {', '.join(str(one.path) for one in lists)}", hint="is it the right file?"
            )
        flush_file(beside)
        beside.replace(path)
    return count


def _batches(pairs: Iterable[tuple[str, str]], split: str | None) -> Iterator[pa.RecordBatch]:
    urls: list[str] = []
    captions: list[str] = []

    def batch() -> pa.RecordBatch:
        columns = [pa.array(column, pa.string()) for column in (urls, captions, [split] * len(urls))]
        return pa.record_batch(columns, schema=SCHEMA)

    for url, caption in pairs:
        urls.append(url)
        captions.append(caption)
        if len(urls) == _BATCH:
            yield batch()
            urls.clear()
            captions.clear()
    if urls:
        yield batch()


def count_rows(path: Path) -> int:
    """How many rows there are."""
    return int(pq.read_metadata(path).num_rows)


def read_rows(path: Path) -> Iterator[pa.RecordBatch]:
    """All rows in order, a batch at a time."""
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(_BATCH, use_threads=False)


def urls_of(path: Path, wanted: NDArray[np.int64]) -> Iterator[tuple[int, str]]:
    """Some rows with their URLs, hosts in turn, so that no host gets all requests at once.

    Args:
        path: of the rows.
        wanted: (m,), their numbers in rising order.
    """
    first = 0
    for batch in read_rows(path):
        low, high = np.searchsorted(wanted, [first, first + len(batch)])
        rows = wanted[low:high]
        if len(rows):
            urls = batch.column("url").take(pa.array(rows - first)).to_pylist()
            yield from in_turn(zip(rows.tolist(), urls, strict=True))
        first += len(batch)


def in_turn(rows: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """One row of each host after the other.

    >>> list(in_turn([(0, "http://a/1"), (1, "http://a/2"), (2, "http://b/1")]))
    [(0, 'http://a/1'), (2, 'http://b/1'), (1, 'http://a/2')]
    """
    hosts: dict[str, list[tuple[int, str]]] = {}
    for row, url in rows:
        hosts.setdefault(_host(url), []).append((row, url))
    waiting = [iter(queue) for queue in hosts.values()]
    while waiting:
        left = []
        for queue in waiting:
            if (one := next(queue, None)) is not None:
                yield one
                left.append(queue)
        waiting = left


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
