"""Chance as a pure function of (seed, purpose, episode or step, row).

Nothing in protoclip draws from a global generator that others share. A draw is addressed by what it is for,
so the number of processes and of loader workers changes nothing, and a continued run needs no generator
state.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def key(seed: int, purpose: str, *numbers: int) -> int:
    """One 64-bit address of a stream of chance.

    >>> key(0, "view", 3) == key(0, "view", 3), key(0, "view", 3) == key(0, "view", 4)
    (True, False)
    """
    text = "/".join([str(seed), purpose, *map(str, numbers)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def row_keys(stream: int, rows: ArrayLike) -> NDArray[np.uint64]:
    """One address per row of a stream.

    Args:
        stream: from `key`.
        rows: (b,), whole numbers.

    Returns:
        (b,), uint64.
    """
    return _mix(np.uint64(stream) + np.asarray(rows).astype(np.uint64) * _GOLDEN)


def uniform(keys: NDArray[np.uint64], draws: int) -> NDArray[np.float64]:
    """Numbers in [0, 1), a row of them for each address.

    SplitMix64: Steele et al., Fast Splittable Pseudorandom Number Generators, 2014.
    https://doi.org/10.1145/2660193.2660195

    Args:
        keys: (b,), from `row_keys`.
        draws: how many numbers for each.

    Returns:
        (b, draws).

    >>> uniform(row_keys(key(0, "view"), [5, 6]), 3).shape
    (2, 3)
    """
    counters = np.arange(1, draws + 1, dtype=np.uint64) * _GOLDEN
    bits = _mix(keys[:, None] + counters[None])
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def generator(seed: int, purpose: str, *numbers: int) -> np.random.Generator:
    """A NumPy generator of its own for one purpose."""
    return np.random.default_rng(key(seed, purpose, *numbers))


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64: every bit of the input changes about half of the output."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
