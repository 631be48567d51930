"""Millions of captions as two Arrow buffers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from protoclip_cli.data.fingerprints import fingerprint


def is_blank(texts: pa.LargeStringArray) -> pa.BooleanArray:
    """Which texts are empty or hold white space alone."""
    return pc.or_(pc.equal(texts, ""), pc.utf8_is_space(texts))


def codes_of(texts: pa.LargeStringArray) -> NDArray[np.int32]:
    """(n,), a number for each text, equal for equal texts."""
    codes: NDArray[np.int32] = texts.dictionary_encode().indices.to_numpy()
    return codes


class Captions:
    """All captions of a source, and which row each belongs to.

    The bytes of the texts are all they cost: nothing is a Python string until it is asked for.
    """

    def __init__(
        self,
        texts: pa.Array | pa.ChunkedArray | Iterable[str],
        first: NDArray[np.int64] | None = None,
        group: NDArray[np.int32] | None = None,
    ) -> None:
        """Keep the texts.

        Args:
            texts: the captions of row 0, then those of row 1, and so on; or of group 0, and so on.
            first: (rows + 1,), where each row's captions begin, or (groups + 1,), where each group's do.
                None: one caption a row.
            group: (rows,), the group of each row, where rows share captions. None: each has its own.
        """
        if isinstance(texts, pa.ChunkedArray):
            texts = texts.combine_chunks()
        elif not isinstance(texts, pa.Array):
            texts = pa.array(list(texts), pa.large_string())
        self._texts = texts.cast(pa.large_string())
        self._first = first
        self._group = group

    @classmethod
    def grouped(cls, texts: pa.Array | Iterable[str], counts: NDArray[np.int64]) -> Captions:
        """Captions of which row 0 has the first `counts[0]`, row 1 the next `counts[1]`, and so on.

        >>> Captions.grouped(["a", "b", "c"], np.array([1, 2])).of(1)
        range(1, 3)
        >>> Captions.grouped(["a", "b"], np.array([1, 1])).single
        True
        """
        if (counts == 1).all():
            return cls(texts)
        return cls(texts, np.concatenate([[0], counts.cumsum()]).astype(np.int64))

    def first_rows(self, rows: int) -> Captions:
        """The captions of the first rows alone, holding no more memory than they take.

        >>> Captions(["a", "b", "c"], np.array([0, 2, 3])).first_rows(1).slice(0, 2)
        ['a', 'b']
        """
        if self._group is not None:
            return Captions(self._texts, self._first, self._group[:rows].copy())
        stop = rows if self._first is None else int(self._first[min(rows, len(self._first) - 1)])
        if stop >= len(self):
            return self
        texts = self._texts.take(pa.array(np.arange(stop)))
        return Captions(texts, None if self._first is None else self._first[: rows + 1].copy())

    @classmethod
    def joined(cls, parts: Sequence[Captions], rows: Sequence[int]) -> Captions:
        """The captions of several sources, one after the other.

        Args:
            parts: of each source.
            rows: how many each source has.

        >>> some, shared = Captions(["a", "b"]), Captions(["c", "d"], np.array([0, 2]), np.zeros(2, np.int32))
        >>> joined = Captions.joined([some, shared], [2, 2])
        >>> [joined.of(row) for row in range(4)]
        [range(0, 1), range(1, 2), range(2, 4), range(2, 4)]
        """
        texts = pa.concat_arrays([part._texts for part in parts])
        if all(part.single for part in parts):
            return cls(texts)
        firsts, groups, texts_before, groups_before = [np.zeros(1, np.int64)], [], 0, 0
        for part, count in zip(parts, rows, strict=True):
            first = np.arange(count + 1) if part._first is None else part._first
            group = np.arange(count) if part._group is None else part._group
            firsts.append(first[1:] + texts_before)
            groups.append((group + groups_before).astype(np.int32))
            texts_before, groups_before = texts_before + len(part), groups_before + len(first) - 1
        shared = any(part.shared for part in parts)
        return cls(texts, np.concatenate(firsts), np.concatenate(groups) if shared else None)

    @property
    def content(self) -> tuple[pa.LargeStringArray | NDArray[np.int64] | NDArray[np.int32], ...]:
        """What makes them these captions, for a fingerprint: the texts, and whose they are."""
        return tuple(part for part in (self._texts, self._first, self._group) if part is not None)

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
        if self._group is not None:
            row = int(self._group[row])
        return range(int(self._first[row]), int(self._first[row + 1]))

    def choose(self, rows: NDArray[np.int64], chance: NDArray[np.float64]) -> NDArray[np.int64]:
        """One caption of each row.

        Args:
            rows: (b,).
            chance: (b,), in [0, 1): 0 is a row's first caption.

        Returns:
            (b,), captions.

        >>> texts = Captions(["a", "b", "c"], np.array([0, 2, 3]))
        >>> texts.choose(np.array([0, 0, 1]), np.array([0.4, 0.5, 0.9]))
        array([0, 1, 2])
        """
        if self._first is None:
            return rows.copy()
        first, counts = self.spans(rows)
        return first + (chance * counts).astype(np.int64)

    def spans(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The first caption of each row, and how many it has; (b,) both.

        >>> Captions(["a", "b", "c"], np.array([0, 2, 3])).spans(np.array([1, 0]))
        (array([2, 0]), array([1, 2]))
        """
        if self._first is None:
            return rows.copy(), np.ones_like(rows)
        if self._group is not None:
            rows = self._group[rows].astype(np.int64)
        return self._first[rows], self._first[rows + 1] - self._first[rows]

    @property
    def codes(self) -> NDArray[np.int32]:
        """A number for each caption, equal for equal texts.

        >>> Captions(["a dog", "a cat", "a dog"]).codes
        array([0, 1, 0], dtype=int32)
        """
        return codes_of(self._texts)

    @property
    def fingerprint(self) -> str:
        """Changes when a caption or their order changes."""
        return fingerprint(self._texts)

    @property
    def blank(self) -> int:
        """How many captions are empty or hold white space alone."""
        return int(pc.sum(is_blank(self._texts)).as_py() or 0)

    @property
    def shared(self) -> bool:
        """Whether rows share captions, such as those written from the names of their classes."""
        return self._group is not None

    @property
    def single(self) -> bool:
        """Whether every row has exactly one caption, so that caption i is that of row i."""
        return self._first is None
