"""One short name for a lot of data, which changes when the data change."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

# Between two pieces Ctrl-C is heard.
_PIECE = 1 << 26


def fingerprint(*parts: str | NDArray[np.generic] | pa.LargeStringArray) -> str:
    """32 hexadecimal digits over the content of all parts, in order.

    Args:
        parts: texts, arrays and Arrow columns. How a column is sliced does not matter, only what it holds.

    >>> texts = pa.array(["a", "bc", "d"], pa.large_string())
    >>> whole, part = fingerprint(texts), fingerprint(texts[1:])
    >>> part == fingerprint(pa.array(["bc", "d"], pa.large_string())), part == whole
    (True, False)
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        for buffer in _buffers(part):
            # The length keeps the border between two parts from moving unseen.
            digest.update(buffer.nbytes.to_bytes(8, "little"))
            for start in range(0, buffer.nbytes, _PIECE):
                digest.update(buffer[start : start + _PIECE])
    return digest.hexdigest()


def _buffers(part: str | NDArray[np.generic] | pa.LargeStringArray) -> Iterator[memoryview]:
    if isinstance(part, str):
        yield memoryview(part.encode())
    elif isinstance(part, np.ndarray):
        yield memoryview(f"{part.dtype.str}{part.shape}".encode())
        yield np.ascontiguousarray(part).reshape(-1).view(np.uint8).data
    else:
        _, offsets, content = part.buffers()
        ends = np.frombuffer(offsets, np.int64)[part.offset : part.offset + len(part) + 1]
        yield np.diff(ends).view(np.uint8).data
        yield memoryview(content or b"")[int(ends[0]) : int(ends[-1])]
