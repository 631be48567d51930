"""Pieces of large files, of which only the last used stay open."""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from typing import Any

from protoclip_cli.core.errors import BadImage
from protoclip_cli.data.images import MAX_BYTES

_MOST = 64


class Handles:
    """Reads pieces of files by offset.

    Nothing has a position that could move, so a forked process may go on with the handles of its parent; a
    spawned one gets none and opens its own. Not for several threads.
    """

    def __init__(self, most: int = _MOST) -> None:
        """Keep at most so many files open."""
        self._most = most
        self._open: OrderedDict[str, int] = OrderedDict()

    def read(self, path: str, offset: int, size: int) -> bytes:
        """A piece of a file.

        Raises:
            BadImage: it cannot be opened, ends before the piece does, or the piece is too large.
        """
        if size > MAX_BYTES:
            raise BadImage(f"more than {MAX_BYTES:,} bytes")
        pieces = []
        try:
            handle = self._handle(path)
            while size > 0 and (piece := os.pread(handle, size, offset)):
                pieces.append(piece)
                offset, size = offset + len(piece), size - len(piece)
        except FileNotFoundError:
            raise BadImage("no such file") from None
        except OSError as error:
            raise BadImage(f"cannot be read ({error.strerror})") from error
        if size:
            raise BadImage("the file ends before it")
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Close all files."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _handle(self, path: str) -> int:
        if path in self._open:
            self._open.move_to_end(path)
            return self._open[path]
        # Opening a pipe would wait for ever.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise BadImage("not a file")
        self._open[path] = handle
        if len(self._open) > self._most:
            os.close(self._open.popitem(last=False)[1])
        return handle

    def __getstate__(self) -> dict[str, Any]:
        return {"_most": self._most}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["_most"])  # type: ignore[misc]

    def __del__(self) -> None:
        self.close()
