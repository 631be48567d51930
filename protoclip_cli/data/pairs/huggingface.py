"""Pairs of a data set that the `datasets` library reads: from Hugging Face's hub, or from a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL.Image import Image
from pydantic import Field

from protoclip_cli.core.errors import BadImage, DataError, MissingExtra
from protoclip_cli.data.captions import Captions
from protoclip_cli.data.fingerprints import fingerprint
from protoclip_cli.data.images import MAX_PIXELS, read_image, read_size
from protoclip_cli.data.pairs.base import PairSource, PairSpec


class DatasetPairs(PairSource):
    """Images in Arrow files that are mapped into memory."""

    def __init__(
        self, images: Any, captions: Captions, name: str, max_pixels: int, notes: Mapping[str, int]
    ) -> None:
        """Keep the columns.

        Args:
            images: a data set of one column, not decoded, that gives Arrow tables.
            captions: of all rows.
            name: of the data set, for messages.
            max_pixels: width times height of the largest image to accept.
            notes: what was odd but usable, and how often.
        """
        self.captions = captions
        # Not the images: their sizes alone would mean reading all of them.
        self.fingerprint = fingerprint("huggingface", *captions.content)
        self.notes = {note: count for note, count in notes.items() if count}
        self._images, self._name, self._max_pixels = images, name, max_pixels

    def __len__(self) -> int:
        return len(self._images)

    def image(self, row: int, draft: int | None = None) -> Image:
        return read_image(self._file(row), draft, self._max_pixels, self.place(row))

    def size(self, row: int) -> tuple[int, int]:
        return read_size(self._file(row), self._max_pixels, self.place(row))

    def _file(self, row: int) -> str | bytes:
        cell = self._images[int(row)].column(0)[0].as_py() or {}
        source: str | bytes | None = cell.get("bytes") or cell.get("path")
        if source is None:
            raise BadImage(f"{self.place(row)}: no image")
        return source

    def place(self, row: int) -> str:
        return f"{self._name} row {int(row)}"


class HuggingFacePairs(PairSpec):
    """A data set of Hugging Face's hub, or in a folder, that the `datasets` library reads."""

    kind: Literal["huggingface"] = "huggingface"
    """A data set of Hugging Face's hub or in a folder, read by the `datasets` library."""
    path: str
    """Its name on the hub, or a folder: of `save_to_disk`, or of files that `load_dataset` takes."""
    name: str | None = None
    """The configuration, where a data set has several."""
    split: str = "train"
    """Which part of it."""
    revision: str | None = None
    """The version on the hub: a commit, tag or branch. A commit alone stays what it is."""
    image_column: str = "image"
    """Name of the column of images."""
    caption_column: str = "caption"
    """Name of the column of captions, a text or a list of texts."""
    max_pixels: int = Field(MAX_PIXELS, gt=0)
    """Images of more pixels than this, width times height, are refused before they are decoded."""

    def open(self) -> DatasetPairs:
        try:
            import datasets
        except ImportError:
            raise MissingExtra(
                "pairs of kind huggingface need the package datasets",
                hint="pip install 'protoclip[datasets]'",
            ) from None
        found = self._load(datasets)
        for key in ("image_column", "caption_column"):
            if getattr(self, key) not in found.column_names:
                raise DataError(
                    f"{self.path} has no column '{getattr(self, key)}'",
                    hint=f"set `{key}` to one of {', '.join(found.column_names)}",
                )
        if self.limit is not None and self.limit < len(found):
            found = found.select(range(self.limit))
        texts, counts = _texts(
            found.select_columns([self.caption_column]).with_format("arrow")[:].column(0), self
        )
        images = found.select_columns([self.image_column])
        try:
            images = images.cast_column(self.image_column, datasets.Image(decode=False))
        except (TypeError, ValueError, pa.ArrowException) as error:
            raise DataError(
                f"{self.path}: '{self.image_column}' holds no images ({str(error)[:100]})",
                hint="set `image_column` to another column",
            ) from None
        if (counts == 0).any():
            images = images.select(np.flatnonzero(counts))
        if not len(images):
            raise DataError(
                f"{self.path} has no image with a caption", hint="set `split` or `caption_column`"
            )
        captions = Captions.grouped(texts, counts[counts > 0])
        notes = {"images without a caption": int((counts == 0).sum()), "empty captions": captions.blank}
        label = f"{self.path} ({self.split})"
        return DatasetPairs(images.with_format("arrow"), captions, label, self.max_pixels, notes)

    def _load(self, datasets: Any) -> Any:
        """The split, from wherever it is."""
        folder = Path(self.path).expanduser()
        if not folder.exists() and (folder.is_absolute() or self.path.startswith((".", "~"))):
            raise DataError(f"there is no folder {folder}", hint="set `path` to one, or to a name on the hub")
        try:
            if (folder / "dataset_dict.json").exists():
                return datasets.load_from_disk(str(folder))[self.split]
            if (folder / "state.json").exists():
                return datasets.load_from_disk(str(folder))
            where = str(folder) if folder.exists() else self.path
            return datasets.load_dataset(where, self.name, split=self.split, revision=self.revision)
        except Exception as error:  # The hub, its client and its readers each have errors of their own.
            said = " ".join(str(error).split())[:300]
            raise DataError(
                f"{self.path} cannot be loaded ({type(error).__name__}: {said})",
                hint="check `path`, `name` and `split`; a gated data set needs `hf auth login`",
            ) from None


def _texts(column: pa.ChunkedArray, spec: HuggingFacePairs) -> tuple[pa.LargeStringArray, np.ndarray]:
    """All captions, and how many each row has; a null text counts as an empty one."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        texts, counts = column, np.ones(len(column), np.int64)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        texts = pc.list_flatten(column)
        counts = pc.fill_null(pc.list_value_length(column), 0).to_numpy().astype(np.int64)
        kind = kind.value_type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise DataError(
            f"{spec.path}: '{spec.caption_column}' holds {kind}, not text",
            hint="set `caption_column` to another column",
        )
    return pc.fill_null(texts.cast(pa.large_string()), "").combine_chunks(), counts
