"""Millions of captions as two Arrow buffers."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from protoclip_cli.data.fingerprints import fingerprint


class Captions:
    """All captions of a source, and which row each belongs to.

    The bytes of the texts are all they cost: nothing is a Python string until it is asked for.
    """

    def __init__(
        self, texts: pa.Array | pa.ChunkedArray | Iterable[str], first: NDArray[np.int64] | None = None
    ) -> None:
        """Keep the texts.

        Args:
            texts: the captions of row 0, then those of row 1, and so on.
            first: (rows + 1,), where each row's captions begin. None: one caption a row.
        """
        if isinstance(texts, pa.ChunkedArray):
            texts = texts.combine_chunks()
        elif not isinstance(texts, pa.Array):
            texts = pa.array(list(texts), pa.large_string())
        self._texts = texts.cast(pa.large_string())
        self._first = first

    def __len__(self) -> int:
        """How many captions there are."""
        return len(self._texts)

    def __getitem__(self, caption: int) -> str:
        """One caption.

        >>> Captions(["a dog", "ein Hund"])[1]
        'ein Hund'
        """
        return str(self._texts[int(caption)].as_py())

    def slice(self, start: int, stop: int) -> list[str]:
        """The captions from `start` up to `stop`."""
        return self._texts.slice(start, stop - start).to_pylist()  # type: ignore[no-any-return]

    def of(self, row: int) -> range:
        """Which captions a row has.

        >>> Captions(["a", "b", "c"], np.array([0, 2, 3])).of(0)
        range(0, 2)
        """
        if self._first is None:
            return range(row, row + 1)
        return range(int(self._first[row]), int(self._first[row + 1]))

    @property
    def fingerprint(self) -> str:
        """Changes when a caption or their order changes."""
        return fingerprint(self._texts)

    @property
    def single(self) -> bool:
        """Whether every row has exactly one caption, so that caption i is that of row i."""
        return self._first is None
