"""Features on disk, so that nothing is embedded a second time, be it in another evaluation.

    <folder>/<key>/<piece>/features.npy   (n, D), float32, memory-mapped
                           rows.npy       (n,), which rows of the source, in rising order
                           stamps.npy     (n,), size and time of each row's file
                           about.json     what the key was made of, for people

A key is a digest of all that the features depend on. What was asked for at one time is a piece, which is
written beside its place, moved there whole and never changed: two evaluations at once cannot harm each other.
Nothing here is worth keeping. What cannot be read is removed and computed again.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.data.cache_folder import cache_folder
from protoclip_cli.data.fingerprints import fingerprint
from protoclip_cli.store.files import disk_errors

LIMIT_BYTES = 10 * 2**30
_FEATURES, _ROWS, _STAMPS, _ABOUT = "features.npy", "rows.npy", "stamps.npy", "about.json"
_KEY_DIGITS = 32

Rows = NDArray[np.int64]


def default_folder() -> Path:
    """`$PROTOCLIP_CACHE/features`, or below the user's own cache."""
    asked = os.environ.get("PROTOCLIP_CACHE")
    return Path(asked).expanduser() / "features" if asked else cache_folder(None, "features")


@dataclass(frozen=True, slots=True)
class Piece:
    """Features of some rows."""

    rows: Rows
    """(n,), in rising order."""
    stamps: NDArray[np.uint64]
    """(n,), of the files they were read from."""
    features: NDArray[np.float32]
    """(n, D)."""


class FeatureCache:
    """A folder of features that may be emptied at any time."""

    def __init__(self, folder: Path, note: Callable[[str], None], *, limit: int = LIMIT_BYTES) -> None:
        """Take the folder as it is.

        Args:
            folder: where; made when something is written.
            note: is told of what cannot be read or written.
            limit: bytes in all. What was used longest ago goes first.
        """
        self.folder, self.limit = folder, limit
        self._note = note

    def pieces(self, key: str) -> Iterator[Piece]:
        """All there is of a key."""
        with suppress(FileNotFoundError):
            for path in sorted((self.folder / key).iterdir()):
                if not path.name.startswith(".") and (piece := self._read(key, path)) is not None:
                    yield piece

    def _read(self, key: str, path: Path) -> Piece | None:
        try:
            piece = _load(key, path)
            with suppress(OSError):
                os.utime(path)  # used just now
        except FileNotFoundError:
            if not path.exists():
                return None  # another evaluation made room this very moment
            self._remove_unreadable(path, "a file of it is missing")
        except (OSError, ValueError, EOFError) as error:
            self._remove_unreadable(path, str(error).splitlines()[0] if str(error) else type(error).__name__)
        else:
            return piece
        return None

    def _remove_unreadable(self, path: Path, why: str) -> None:
        self._note(f"the cached features in {path} cannot be used and are computed again ({why})")
        shutil.rmtree(path, ignore_errors=True)
        with suppress(OSError):
            path.unlink(missing_ok=True)  # a file where a folder should be

    def add(self, key: str, piece: Piece, about: dict[str, Any]) -> None:
        """Keep a piece, if it fits below the limit. A full disk or a missing permission is told, not raised.

        Args:
            key: of what.
            piece: which rows.
            about: what the key was made of.
        """
        if piece.features.nbytes > self.limit:
            size = piece.features.nbytes / 2**30
            self._note(f"{size:.1f} GiB of features are not cached: they are more than the cache may hold")
            return
        try:
            with disk_errors(f"caching features in {self.folder}"):
                self._write(self.folder / key, piece, about | {"key": key, "digest": _digest(piece)})
                self._make_room()
        except Exception as error:  # the features are computed: nothing may be lost for want of a cache
            self._note(f"features are not cached: {error}")

    def _write(self, place: Path, piece: Piece, about: dict[str, Any]) -> None:
        place.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".", dir=place))
        try:
            np.save(beside / _FEATURES, piece.features, allow_pickle=False)
            np.save(beside / _ROWS, piece.rows, allow_pickle=False)
            np.save(beside / _STAMPS, piece.stamps, allow_pickle=False)
            (beside / _ABOUT).write_text(json.dumps(about, indent=2), encoding="utf-8")
            beside.rename(place / beside.name.removeprefix("."))
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise

    def _make_room(self) -> None:
        """Remove what was used longest ago until the rest is below the limit."""
        known = []
        for path in self.folder.glob(f"{'[0-9a-f]' * _KEY_DIGITS}/*"):
            with suppress(OSError):
                used = path.stat().st_mtime
                known.append((used, path, sum(file.stat().st_size for file in path.iterdir())))
        total = sum(size for _, _, size in known)
        for _, path, size in sorted(known):
            if total <= self.limit:
                return
            shutil.rmtree(path, ignore_errors=True)
            total -= size


def _load(key: str, path: Path) -> Piece:
    about = json.loads((path / _ABOUT).read_text("utf-8"))
    piece = Piece(
        np.load(path / _ROWS, allow_pickle=False),
        np.load(path / _STAMPS, allow_pickle=False),
        np.load(path / _FEATURES, mmap_mode="r", allow_pickle=False),
    )
    if about.get("key") != key:
        raise ValueError("it is of other features")
    if about.get("digest") != _digest(piece):
        raise ValueError("its content has changed since it was written")
    return piece


def _digest(piece: Piece) -> str:
    """Of content, types and shapes."""
    return fingerprint(piece.rows, piece.stamps, piece.features)
