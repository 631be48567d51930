"""Members of many zip archives by row, read where they are.

The table of contents of an archive is read when its first member is asked for, and leaves two numbers a row.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from protoclip_cli.core.errors import BadImage
from protoclip_cli.data.captions import codes_of
from protoclip_cli.data.handles import Handles
from protoclip_cli.data.images import MAX_BYTES

_HEADER = struct.Struct("<4s5H3I2H")
_ENCRYPTED = 1
_UNKNOWN, _ABSENT = 0, -1


class ZipMembers:
    """The bytes of members."""

    def __init__(self, archives: pa.LargeStringArray, archive: NDArray[np.int32], members: pa.Array) -> None:
        """Keep what names the members.

        Args:
            archives: paths, each once.
            archive: (N,), which of them a row is in.
            members: (N,), names within the archives.
        """
        self._archives, self._archive, self._members = archives, archive, members
        self._rows = np.argsort(archive, kind="stable")
        self._first = np.searchsorted(archive, np.arange(len(archives) + 1), sorter=self._rows)
        self._forget()

    def place(self, row: int) -> str:
        """The path of the archive and the name in it."""
        return f"{self._path(row)}/{self._members[row].as_py()}"

    def codes(self) -> NDArray[np.int32]:
        """(N,), a number for each row, equal for rows of the same member of the same archive."""
        both = self._archive.astype(np.int64) * len(self._members) + codes_of(self._members)
        codes: NDArray[np.int32] = np.unique(both, return_inverse=True)[1].reshape(-1).astype(np.int32)
        return codes

    def read(self, row: int) -> bytes:
        """The bytes of a row's member.

        Raises:
            BadImage: it is not there, damaged, too large, or packed in an unusual way.
        """
        if self._start[row] == _UNKNOWN:
            self._look_up(int(self._archive[row]))
        if self._start[row] == _ABSENT:
            reason = self._broken.get(int(self._archive[row]), "no such member of the archive")
            raise BadImage(f"{self.place(row)}: {reason}")
        try:
            return self._read(self._path(row), int(self._start[row]) - 1, int(self._size[row]))
        except BadImage as error:
            raise BadImage(f"{self.place(row)}: {error}") from None

    def _read(self, path: str, start: int, size: int) -> bytes:
        header = _HEADER.unpack(self._handles.read(path, start, _HEADER.size))
        mark, flags, method, name, extra = header[0], header[2], header[3], header[-2], header[-1]
        if mark != zipfile.stringFileHeader:  # type: ignore[attr-defined]
            raise BadImage("the archive is damaged here")
        if flags & _ENCRYPTED or method not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise BadImage("encrypted, or compressed in another way than deflate")
        packed = self._handles.read(path, start + _HEADER.size + name + extra, size)
        if method == zipfile.ZIP_STORED:
            return packed
        machine = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            content = machine.decompress(packed, MAX_BYTES)
        except zlib.error as error:
            raise BadImage(f"cannot be decompressed ({error})") from None
        if not machine.eof:
            raise BadImage(f"cut off, or more than {MAX_BYTES:,} bytes")
        return content

    def _look_up(self, archive: int) -> None:
        """Find all rows of an archive in its table of contents."""
        rows = self._rows[self._first[archive] : self._first[archive + 1]]
        contents = {}
        try:
            if not os.path.isfile(path := self._archives[archive].as_py()):  # noqa: PTH113
                raise FileNotFoundError("no such archive")  # noqa: TRY301
            with zipfile.ZipFile(path) as file:
                contents = {
                    info.filename: (info.header_offset, info.compress_size) for info in file.infolist()
                }
        except MemoryError:
            raise
        except Exception as error:  # A damaged archive can end zipfile with any exception there is.
            self._broken[archive] = f"the archive cannot be opened ({' '.join(str(error).split())[:200]})"
        for row in rows:
            start, size = contents.get(self._members[row].as_py(), (_ABSENT - 1, 0))
            self._start[row], self._size[row] = start + 1, min(size, MAX_BYTES + 1)

    def _path(self, row: int) -> str:
        return str(self._archives[int(self._archive[row])].as_py())

    def _forget(self) -> None:
        self._handles = Handles()
        self._broken: dict[int, str] = {}
        self._start = np.zeros(len(self._archive), np.int64)
        """(N,), where a member's header begins, plus 1."""
        self._size = np.zeros(len(self._archive), np.uint32)
        """(N,), of the packed member."""

    def __getstate__(self) -> dict[str, Any]:
        found = {"_handles", "_broken", "_start", "_size"}
        return {name: value for name, value in vars(self).items() if name not in found}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._forget()
