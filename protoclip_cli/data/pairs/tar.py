"""Pairs in tar shards, as webdataset lays them out: 0001.jpg, 0001.txt and perhaps 0001.json of one stem.

Rows are read by their offset, in any order, without unpacking.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from glob import glob, has_magic
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL.Image import Image
from pydantic import Field

from protoclip_cli.core.errors import BadImage, DataError
from protoclip_cli.data.cache_folder import cache_folder
from protoclip_cli.data.captions import Captions
from protoclip_cli.data.fingerprints import fingerprint
from protoclip_cli.data.handles import Handles
from protoclip_cli.data.images import MAX_PIXELS, read_image, read_size
from protoclip_cli.data.pairs._files import existing_file
from protoclip_cli.data.pairs.base import PairSource, PairSpec
from protoclip_cli.data.tar_shards import Shard, open_shard

_MOST_SHARDS = 1_000_000
_EXAMPLE = "shards such as 'shards/{000..012}.tar' or 'shards/*.tar'"


class TarPairs(PairSource):
    """Images in tar shards."""

    def __init__(self, paths: list[str], shards: Sequence[Shard], rows: int, max_pixels: int) -> None:
        """Keep where everything is.

        Args:
            paths: of the shards.
            shards: what is in them.
            rows: how many there are to be.
            max_pixels: width times height of the largest image to accept.
        """
        table = pa.concat_tables([shard.table for shard in shards])
        if rows < len(table):
            table = table.take(pa.array(np.arange(rows)))  # a slice would keep the bytes of the other rows
        self._names, offset, size, lists = (column.combine_chunks() for column in table.columns)
        counts = pc.list_value_length(lists).to_numpy().astype(np.int64)
        self._offset, self._size = offset.to_numpy(), size.to_numpy()
        which = np.repeat(np.arange(len(shards), dtype=np.int32), [len(shard.table) for shard in shards])
        self._shard = which[:rows].copy()
        self.captions = Captions.grouped(lists.flatten(), counts)
        self.fingerprint = fingerprint("tar", self._names, self._size, *self.captions.content)
        self.notes: dict[str, int] = {}
        self._paths = paths
        self._max_pixels = max_pixels
        self._handles = Handles()

    def __len__(self) -> int:
        return len(self._names)

    def image(self, row: int, draft: int | None = None) -> Image:
        return read_image(self._content(row), draft, self._max_pixels, self.place(row))

    def size(self, row: int) -> tuple[int, int]:
        return read_size(self._content(row), self._max_pixels, self.place(row))

    def _content(self, row: int) -> bytes:
        row = int(row)
        path, start, size = self._paths[self._shard[row]], int(self._offset[row]), int(self._size[row])
        try:
            return self._handles.read(path, start, size)
        except BadImage as error:
            raise BadImage(f"{self.place(row)}: {error}") from None

    def place(self, row: int) -> str:
        return f"{self._paths[self._shard[row]]}/{self._names[int(row)].as_py()}"


class TarPairsSpec(PairSpec):
    """Tar shards of images and texts of one stem, as webdataset lays them out."""

    kind: Literal["tar"] = "tar"
    """Tar shards of image.jpg and image.txt, as webdataset lays them out."""
    path: Path
    """A shard, or several: shards/{000..012}.tar, shards/*.tar."""
    caption_key: str | None = None
    """Read captions from this key of image.json: a text, or several. Null: image.txt is the caption."""
    cache: Path | None = None
    """Folder for what was found in the shards. Null: below ~/.cache/protoclip."""
    max_pixels: int = Field(MAX_PIXELS, gt=0)
    """Images of more pixels than this, width times height, are refused before they are decoded."""

    def open(self) -> TarPairs:
        return self.open_slowly(lambda done, total: None)  # noqa: ARG005

    def open_slowly(self, progress: Callable[[int, int], None]) -> TarPairs:
        cache = cache_folder(self.cache, "shards")
        paths = shard_paths(self.path.expanduser())
        shards: list[Shard] = []
        rows = 0
        for path in paths:
            if self.limit is not None and rows >= self.limit:
                break
            shards.append(open_shard(existing_file(path, _EXAMPLE), self.caption_key, cache))
            rows += len(shards[-1].table)
            progress(len(shards), len(paths))
        notes = {name: sum(shard.notes[name] for shard in shards) for name in shards[0].notes}
        if not rows:
            hint = "a pair is for example 0001.jpg and 0001.txt" + (", 0001.json" if self.caption_key else "")
            raise DataError(f"{paths[0]} has no pairs {notes}", hint=hint)
        made = [str(path) for path in paths[: len(shards)]]
        source = TarPairs(made, shards, min(rows, self.limit or rows), self.max_pixels)
        new = sum(len(shard.table) for shard in shards if shard.new)
        notes |= {"empty captions": source.captions.blank, f"in shards read anew, remembered in {cache}": new}
        source.notes = {note: count for note, count in notes.items() if count}
        return source


def shard_paths(path: Path) -> list[Path]:
    """The shards a path means: `{000..012}` and `{a,b}` in their order, `*`, `?` and `[ab]` sorted.

    Raises:
        DataError: nothing matches, or more than a million.

    >>> [str(path) for path in shard_paths(Path("s/{08..10}_{a,b}.tar"))][1:4]
    ['s/08_b.tar', 's/09_a.tar', 's/09_b.tar']
    """
    if path.exists():
        if path.is_dir():
            raise DataError(f"{path} is a folder", hint=f"set `path` to {path}/*.tar")
        return [path]
    patterns = [str(path)]
    while any(re.search(r"\{[^{}]*\}", pattern) for pattern in patterns):
        patterns = [one for pattern in patterns for one in _expanded(pattern)]
        if len(patterns) > _MOST_SHARDS:
            raise DataError(
                f"{path} means more than {_MOST_SHARDS:,} shards", hint=f"set `path` to {_EXAMPLE}"
            )
    found: list[Path] = []
    for pattern in patterns:
        matches = sorted(glob(pattern)) if has_magic(pattern) else [pattern]  # noqa: PTH207
        found += map(Path, matches)
    if not found:
        raise DataError(f"no file is named {path}", hint=f"set `path` to {_EXAMPLE}")
    return found


def _expanded(pattern: str) -> list[str]:
    """A pattern with its first braces written out."""
    match = re.search(r"\{([^{}]*)\}", pattern)
    if match is None:
        return [pattern]
    span = re.fullmatch(r"(\d+)\.\.(\d+)", match[1])
    if span is None:
        values = match[1].split(",")
    else:
        width = max(map(len, span.groups())) if any(one.startswith("0") for one in span.groups()) else 0
        values = [
            f"{n:0{width}}" for n in range(int(span[1]), min(int(span[2]), int(span[1]) + _MOST_SHARDS) + 1)
        ]
    return [pattern[: match.start()] + value + pattern[match.end() :] for value in values]
