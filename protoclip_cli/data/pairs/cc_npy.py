"""Pairs of SLIP's and clip-rocket's cc3m.npy and cc12m.npy: a NumPy file of one dict an image.

Such a file is a pickle, and is read without running what it names (see `data/pickles.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.folder_images import SUFFIXES
from protoclip_cli.data.captions import Captions
from protoclip_cli.data.images import MAX_PIXELS
from protoclip_cli.data.pairs._files import FilePairs, existing_file, existing_folder
from protoclip_cli.data.pairs.base import PairSpec
from protoclip_cli.data.pickles import read_object_array

_IMAGE = ("image_id", "image_name", "image", "filename")
_CAPTIONS = ("captions", "caption")
_SHAPE = "a row is a dict such as {'image_id': '0001', 'captions': ['a dog']}"


class CcNpyPairs(PairSpec):
    """A cc3m.npy or cc12m.npy, as SLIP and clip-rocket have them, and the folder of its images."""

    kind: Literal["cc_npy"] = "cc_npy"
    """A cc3m.npy or cc12m.npy as SLIP and clip-rocket have them, and the folder of its images."""
    path: Path
    """The .npy file."""
    images_root: Path | None = None
    """The folder of the images. Null: the file's own folder."""
    image_key: str | None = None
    """The key of an image's name. Null: one of the usual ones, `image_id` or `image_name`."""
    captions_key: str | None = None
    """The key of an image's caption, or of a list of them. Null: `captions` or `caption`."""
    suffix: str = ".jpg"
    """What is put behind names without the suffix of an image. Empty: nothing."""
    max_pixels: int = Field(MAX_PIXELS, gt=0)
    """Images of more pixels than this, width times height, are refused before they are decoded."""

    def open(self) -> FilePairs:
        path = existing_file(self.path, "a file such as cc3m.npy")
        root = existing_folder(self.images_root or path.parent, "images_root", "the folder of the images")
        rows = read_object_array(path)
        names: list[str] = []
        texts: list[str] = []
        counts: list[int] = []
        for number, row in enumerate(rows):
            if self.limit is not None and len(names) == self.limit:
                break
            try:
                name, captions = self._pair(row)
            except (KeyError, TypeError) as error:
                raise DataError(f"{path}, row {number}: {error.args[0]}", hint=_SHAPE) from None
            if captions:
                names.append(name)
                texts += captions
                counts.append(len(captions))
        if not names:
            raise DataError(f"{path} has no image with a caption", hint=_SHAPE)
        left_out = number + 1 - len(names) if self.limit is None else 0
        notes = {
            "images without a caption": left_out,
            "empty captions": sum(not text.strip() for text in texts),
        }
        columns = pa.array(names, pa.large_string()), pa.array(texts, pa.large_string())
        captions_of = Captions.grouped(columns[1], np.array(counts, np.int64))
        return FilePairs(self.kind, columns[0], captions_of, str(root), self.max_pixels, notes)

    def _pair(self, row: Any) -> tuple[str, list[str]]:
        """The file name of a row, and its captions."""
        if not isinstance(row, dict):
            raise TypeError(f"a {type(row).__name__} instead of a dict")
        name = _value(row, self.image_key, _IMAGE, "image_key")
        captions = _value(row, self.captions_key, _CAPTIONS, "captions_key")
        if not isinstance(name, str | int) or name == "":
            raise TypeError(f"the name of an image is {name!r:.60}")
        captions = [captions] if isinstance(captions, str) else captions
        if not isinstance(captions, list | tuple) or not all(isinstance(text, str) for text in captions):
            raise TypeError(f"captions are {captions!r:.60}")
        name = str(name)
        bare = Path(name).suffix.lower() not in SUFFIXES
        return name + self.suffix if bare else name, list(captions)


def _value(row: dict[Any, Any], asked: str | None, usual: Iterable[str], key: str) -> Any:
    keys = [asked] if asked is not None else usual
    for name in keys:
        if name in row:
            return row[name]
    raise KeyError(f"no key {' or '.join(map(repr, keys))}; set `{key}` to one of {', '.join(map(str, row))}")
