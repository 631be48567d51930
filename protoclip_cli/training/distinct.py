"""Batches in which no image and no caption comes twice.

Contrastive losses take any two rows of a batch for a mismatch, which two rows of one image or one text are
not. Rows are exchanged between the batches of an episode, and none is added or lost.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.data.captions import Captions
from protoclip_cli.data.loader import choose_captions

_CHUNK = 1 << 16
_SWAPS = 8

Codes = NDArray[np.int32] | NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Distinct:
    """What must not come twice in a batch. A pure function of the plan, whatever process asks."""

    seed: int
    captions: Captions
    caption_codes: Codes | None
    """(captions,), equal for equal texts. None: they may come twice."""
    image_codes: Codes | None
    """(N,), equal for equal images. None: they may come twice."""
    _made: dict[int, tuple[NDArray[np.int64], int]] = field(default_factory=dict)

    def arrange(
        self, episode: int, anchor: int, rows: NDArray[np.int64], order: NDArray[np.int64], batch: int
    ) -> tuple[NDArray[np.int64], int]:
        """Exchange positions between the batches of an episode; what is left over at its end stays.

        Args:
            episode: which one.
            anchor: the episode that drew the rows, and with them their captions.
            rows: (E,), by position.
            order: (E,), positions.
            batch: rows of a batch.

        Returns:
            The positions in their new order, (E,), and how many rows share a batch with one of their own
            image or caption all the same.
        """
        if episode not in self._made:
            trained = order[: len(order) // batch * batch]
            codes: list[Codes] = []
            if self.caption_codes is not None:
                codes.append(
                    self.caption_codes[choose_captions(self.captions, self.seed, anchor, rows[trained])]
                )
            if self.image_codes is not None:
                codes.append(self.image_codes[rows[trained]])
            places, clashes = keep_apart(codes, batch)
            while len(self._made) > 1:  # the loader is in the next episode before the loop is
                del self._made[next(iter(self._made))]
            self._made[episode] = np.concatenate([trained[places], order[len(trained) :]]), clashes
        return self._made[episode]


def keep_apart(codes: Sequence[Codes], batch: int) -> tuple[NDArray[np.int64], int]:
    """Rows in an order in which rows of equal codes are in different batches.

    A row that repeats one of its batch goes to the next batch that can take it, or else to any; other rows
    move up. What no batch can take without a repetition goes where it meets the fewest of its kind.

    Args:
        codes: one or more of (n,), n a multiple of the batch; rows are kept apart if any code is equal.
        batch: rows of a batch.

    Returns:
        (n,), places of the rows; and how many rows met one of their kind.

    >>> order, met = keep_apart([np.array([7, 7, 1, 2, 3, 4])], 3)
    >>> order.reshape(2, 3).tolist(), met
    ([[0, 2, 3], [1, 4, 5]], 0)
    """
    spread = _Spread([np.unique(one, return_inverse=True)[1].reshape(-1) for one in codes], batch)
    repeated = np.zeros(len(codes[0]), bool)
    for one in spread.codes:
        repeated |= np.bincount(one)[one] > 1
    late = array("q", spread.next_that_can(np.flatnonzero(repeated)))
    met = spread.wherever(np.array(late, np.int64))
    spread.where[~repeated] = np.repeat(np.arange(len(spread.room)), spread.room)
    return np.argsort(spread.where, kind="stable"), met


class _Spread:
    """Batches that fill up."""

    def __init__(self, codes: list[NDArray[np.int64]], batch: int) -> None:
        self.codes = codes
        """From 0 to the number of different values, without gaps."""
        self.batch = batch
        self.room = np.full(len(codes[0]) // batch, batch)
        """By batch."""
        self.where = np.full(len(codes[0]), -1)
        """By row, the batch that took it; -1: none yet."""

    def next_that_can(self, rows: NDArray[np.int64]) -> Iterator[int]:
        """Put each row into its own or the next batch that can take it; give back those without any."""
        first = [array("l", bytes(array("l").itemsize * (int(one.max()) + 1))) for one in self.codes]
        open_from = list(range(len(self.room) + 1))
        for start in range(0, len(rows), _CHUNK):
            chunk = rows[start : start + _CHUNK]
            for row, *codes in zip(chunk.tolist(), *(one[chunk].tolist() for one in self.codes), strict=True):
                batch = max(row // self.batch, *(of[code] for of, code in zip(first, codes, strict=True)))
                batch = _find(open_from, batch)
                if batch == len(self.room):
                    yield row
                    continue
                for of, code in zip(first, codes, strict=True):
                    of[code] = batch + 1
                self.where[row] = batch
                self.room[batch] -= 1
                if not self.room[batch]:
                    open_from[batch] = batch + 1

    def wherever(self, rows: NDArray[np.int64]) -> int:
        """Put each row where it meets the fewest of its kind; how many met any."""
        order = [np.argsort(one, kind="stable") for one in self.codes] if len(rows) else []
        starts = [np.concatenate([[0], np.bincount(one).cumsum()]) for one in self.codes]

        def met_in(column: int, code: int) -> NDArray[np.int64]:
            kind = self.where[order[column][starts[column][code] : starts[column][code + 1]]]
            return np.bincount(kind[kind >= 0], minlength=len(self.room))

        met, latest = 0, -1
        common = np.zeros(len(self.room), np.int64)
        # By the first code, whose counts are then kept: one text can have a hundred thousand rows.
        for row in rows[np.argsort(self.codes[0][rows], kind="stable")].tolist():
            if self.codes[0][row] != latest:
                latest = int(self.codes[0][row])
                common = met_in(0, latest)
            rest = (met_in(column, int(one[row])) for column, one in enumerate(self.codes) if column)
            harm = sum(rest, start=common.copy())
            batch = self._least(harm, row)
            if harm[batch]:
                batch, swapped = self._exchange(batch, harm)
                met += not swapped
            common[batch] += 1
            self.where[row] = batch
            self.room[batch] -= 1
        return met

    def _least(self, harm: NDArray[np.int64], row: int) -> int:
        """The first batch with room from the row's own on in which harm is least."""
        possible = np.where(self.room > 0, harm, np.iinfo(np.int64).max)
        own = row // self.batch
        return int((np.roll(possible, -own).argmin() + own) % len(possible))

    def _exchange(self, batch: int, harm: NDArray[np.int64]) -> tuple[int, bool]:
        """Make room in a batch that would take the row without harm, by moving one of its rows to `batch`.

        With one code there always is such a row, if there is such a batch: all of its rows differ, and
        `batch` has fewer.
        """
        others = np.flatnonzero(harm == 0)[:_SWAPS].tolist()
        there = np.flatnonzero(self.where == batch) if others else None
        for other in others:
            members = np.flatnonzero(self.where == other)
            stays = np.zeros(len(members), bool)
            for one in self.codes:
                stays |= np.isin(one[members], one[there])
            if not stays.all():
                self.where[members[stays.argmin()]] = batch
                self.room[batch] -= 1
                self.room[other] += 1
                return other, True
        return batch, False


def _find(open_from: list[int], batch: int) -> int:
    """The first batch with room from one on, remembering the way."""
    while open_from[batch] != batch:
        open_from[batch] = open_from[open_from[batch]]
        batch = open_from[batch]
    return batch
