"""Banks: features of all captions of a source, on disk."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.core.errors import DataError
from protoclip_cli.store.files import disk_errors, flush_folder, read_json

ABOUT, FEATURES, ENCODER = "bank.json", "features.npy", "encoder"
_CHUNK = 65_536
_FORM = "features are a plain .npy file of numbers: a row of float16 or float32 for each caption"


@dataclass(frozen=True, slots=True)
class Bank:
    """Features by caption. They stay on disk; only the rows asked for are read."""

    path: Path
    features: NDArray[np.generic]
    """(captions, T), memory-mapped."""

    @property
    def dim(self) -> int:
        """T."""
        return int(self.features.shape[1])

    @classmethod
    def open(cls, path: Path, *, fingerprint: str, captions: int) -> Bank:
        """Open a bank of certain pairs.

        Args:
            path: its folder.
            fingerprint: of the captions it must belong to.
            captions: how many they are.

        Raises:
            DataError: there is none, it is of other pairs, or damaged.
        """
        about = read_about(path)
        if about is None and path.is_file():
            raise DataError(
                f"{path} is a file, and a bank is a folder",
                hint="a plain .npy file, as the original's, needs `unchecked: true`",
            )
        if about is None:
            raise DataError(
                f"{path} is not a finished bank of features: it has no {ABOUT}",
                hint="make one with `protoclip extract-teacher PAIRS --out DIR`",
            )
        if about.get("pairs") != fingerprint:
            raise DataError(
                f"the bank {path} was made of other captions ({about.get('captions')}) than these pairs have "
                f"({captions})",
                hint="make one of these pairs with `protoclip extract-teacher PAIRS --out DIR`",
            )
        return cls._checked(path, path / FEATURES, captions)

    @classmethod
    def open_unchecked(cls, path: Path, *, captions: int) -> Bank:
        """Open a plain `.npy` file of features, trusting that its rows are the captions in their order.

        Raises:
            DataError: it has another number of rows, or is damaged.
        """
        return cls._checked(path, path, captions)

    @classmethod
    def _checked(cls, path: Path, file: Path, captions: int) -> Bank:
        try:
            features = np.load(file, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            said = " ".join(str(error).split())
            raise DataError(f"the features in {file} cannot be read: {said}", hint=_FORM) from None
        if not isinstance(features, np.ndarray):
            features.close()
            raise DataError(f"{file} is an archive, not one array", hint=_FORM)
        if features.ndim != 2 or features.dtype.kind != "f" or not features.shape[1]:
            raise DataError(
                f"{file} holds {features.dtype} of shape {features.shape}, not rows of features", hint=_FORM
            )
        if len(features) != captions:
            raise DataError(
                f"{file} has {len(features):,} rows, and the pairs have {captions:,} captions",
                hint="a bank has a row for each caption, in the order of the table (after `limit`)",
            )
        for start in range(0, len(features), _CHUNK):
            if bad := int((~np.isfinite(features[start : start + _CHUNK])).any(axis=1).sum()):
                raise DataError(
                    f"{bad} or more rows of {file} are not finite (NaN or Inf), from row {start} on",
                    hint="extract the features again, in another precision",
                )
        return cls(path, features)

    def rows(self, captions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Features of some captions, (n, T)."""
        return np.asarray(self.features[captions], np.float32)


def read_about(path: Path) -> dict[str, Any] | None:
    """What a finished bank says of itself, or None if there is none."""
    file = path / ABOUT
    return dict(read_json(file)) if file.is_file() else None


def write_features(
    folder: Path, shape: tuple[int, int], dtype: str, chunks: Iterable[NDArray[np.float32]]
) -> None:
    """Write the features of a bank, atomically, a chunk of rows at a time."""
    beside, place = folder / f".{FEATURES}.tmp", folder / FEATURES
    header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
    with disk_errors(f"writing {place}"):
        with beside.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for rows in chunks:
                file.write(np.ascontiguousarray(rows, dtype).data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(place)
        flush_folder(folder)
