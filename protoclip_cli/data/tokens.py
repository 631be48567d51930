"""All captions of a run as tokens in one buffer: tokenised once, cut to size per batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from protoclip_cli.compute.processes import available_cores, collect_ragged, share, world
from protoclip_cli.data.captions import Captions

_CHUNK = 4096
_WORTH_A_POOL = 100_000


@dataclass(frozen=True, slots=True)
class TokenTable:
    """The tokens of many texts, one after the other without their padding."""

    ids: NDArray[np.int32]
    """(all tokens,)."""
    first: NDArray[np.int64]
    """(texts + 1,), where each text begins."""
    pad: int
    """The token that fills up short texts."""
    context_length: int
    truncated: int
    """How many texts were longer than the context."""

    def rows(self, texts: NDArray[np.int64], *, short: bool) -> Tensor:
        """The tokens of some texts.

        Args:
            texts: (b,), which ones.
            short: pad to the longest of them instead of the context length.

        Returns:
            (b, L), long.
        """
        start, lengths = self.first[texts], self.first[texts + 1] - self.first[texts]
        width = int(lengths.max(initial=1)) if short else self.context_length
        place = np.arange(width)
        inside = place[None] < lengths[:, None]
        rows = np.full((len(texts), width), self.pad, np.int64)
        rows[inside] = self.ids[(start[:, None] + place[None])[inside]]
        return torch.from_numpy(rows)

    def used(self) -> Tensor:
        """(U,), the different tokens in use, padding included, in ascending order."""
        return torch.from_numpy(np.union1d(self.ids, [self.pad]).astype(np.int64))


Tokenize = Callable[[Sequence[str], int], Tensor]
"""Texts and a length to (n, length) tokens, long; short texts padded, long ones cut."""


def tokenize(captions: Captions, tokenizer: Tokenize, context_length: int) -> TokenTable:
    """Tokenise all captions, each process a share of them.

    Args:
        captions: of a source.
        tokenizer: the model's.
        context_length: L, the most tokens the model takes.
    """
    mine = share(len(captions))
    work = Tokens(tokenizer, context_length)
    chunks = (captions.slice(at, min(at + _CHUNK, mine.stop)) for at in range(mine.start, mine.stop, _CHUNK))
    done = list(_in_parallel(work, chunks) if len(mine) >= _WORTH_A_POOL else map(work, chunks))
    empty = (np.zeros(0, np.int32), np.zeros(0, np.int64), 0)
    ids, lengths, truncated = zip(*[empty, *done], strict=True)
    length = _from_all(np.concatenate(lengths))
    total = _from_all(np.array([sum(truncated)])).sum()
    first = np.concatenate([[0], length.cumsum()])
    return TokenTable(
        _from_all(np.concatenate(ids)).astype(np.int32), first, work.pad, context_length, int(total)
    )


class Tokens:
    """Tokenises a few texts, in this process or in another."""

    def __init__(self, tokenizer: Tokenize, context_length: int) -> None:
        """Find out what pads.

        Args:
            tokenizer: the model's.
            context_length: L, the most tokens the model takes.
        """
        self.tokenizer, self.length = tokenizer, context_length
        self.pad = int(tokenizer([""], context_length)[0, -1])

    def table(self, texts: Sequence[str]) -> TokenTable:
        """The tokens of some texts; of one that was cut, fewer than it has."""
        ids, lengths, cut = self(texts)
        first = np.concatenate([[0], lengths.cumsum()])
        return TokenTable(ids, first, self.pad, self.length, cut)

    def __call__(self, texts: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64], int]:
        """The tokens without padding, how many each text has, and how many texts were cut."""
        # One token more room tells a text that fits exactly from one that must be cut.
        roomy = self.tokenizer(texts, self.length + 1).numpy()
        rows, long = roomy[:, : self.length].copy(), np.flatnonzero(roomy[:, -1] != self.pad)
        if len(long):
            rows[long] = self.tokenizer([texts[int(i)] for i in long], self.length).numpy()
        filled = rows[:, ::-1] != self.pad
        kept = np.where(filled.any(axis=1), self.length - filled.argmax(axis=1), 0)
        inside = np.arange(self.length)[None] < kept[:, None]
        return rows[inside].astype(np.int32), kept, len(long)


def _in_parallel(
    work: Tokens, chunks: Iterable[Sequence[str]]
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int64], int]]:
    # Spawned, not forked: this process may already run threads.
    with ProcessPoolExecutor(available_cores(), get_context("spawn")) as pool:
        yield from pool.map(work, chunks)


def _from_all(mine: NDArray[np.generic]) -> NDArray[np.int64]:
    return collect_ragged(_on_device(torch.from_numpy(mine.astype(np.int64)))).cpu().numpy()


def _on_device(values: Tensor) -> Tensor:
    """Where the processes' backend can reach it."""
    on_gpu = world() > 1 and torch.distributed.get_backend() == "nccl"
    return values.cuda() if on_gpu else values
