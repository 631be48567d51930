"""Pairs of files side by side: `dog.jpg` and `dog.txt`, in a folder and those below it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.folder_images import SUFFIXES, in_order, is_hidden, scan
from protoclip_cli.data.captions import Captions
from protoclip_cli.data.classes import Templates, captions_of_classes, number_classes
from protoclip_cli.data.images import MAX_PIXELS
from protoclip_cli.data.pairs._files import FilePairs, existing_folder
from protoclip_cli.data.pairs.base import PairSpec


class FolderPairs(PairSpec):
    """Images and texts of the same name side by side, in a folder and all below it."""

    kind: Literal["folder"] = "folder"
    """Files side by side: image.jpg and image.txt, in a folder and all below it."""
    path: Path
    """The folder."""
    caption_per_line: bool = False
    """Take every line of a text that is not blank as one caption of its image, not the whole text."""
    classes: bool = False
    """Take the first folder below `path` as the class of an image; one outside all folders has none."""
    templates: Templates = ()
    """Captions to write from the names of class folders instead of reading texts, such as `a {}.`"""
    max_pixels: int = Field(MAX_PIXELS, gt=0)
    """Images of more pixels than this, width times height, are refused before they are decoded."""

    def open(self) -> FilePairs:
        root = existing_folder(self.path, "path", "a folder with files such as dog.jpg and dog.txt")
        if self.templates:
            return self._written(root)
        found = _Found()
        names: list[str] = []
        texts: list[str] = []
        counts: list[int] = []
        for name, text in islice(found.pairs(root), self.limit):
            captions = [text.strip()]
            if self.caption_per_line:
                captions = [line.strip() for line in text.splitlines() if line.strip()] or [""]
            names.append(name)
            texts += captions
            counts.append(len(captions))
        if not names:
            raise DataError(
                f"{root} has no image with a text of the same name beside it",
                hint="name them like dog.jpg and dog.txt; it has "
                f"{found.images_alone} images and {found.texts_alone} texts",
            )
        notes = {
            "images without a text": found.images_alone,
            "texts without an image": found.texts_alone,
            "images whose name differs only in its suffix, of which the first is read": found.doubles,
            "empty captions": texts.count(""),
        }
        captions_of = Captions.grouped(pa.array(texts, pa.large_string()), np.array(counts, np.int64))
        paths = pa.array(names, pa.large_string())
        labels = number_classes(_first_folders(paths))[0] if self.classes else None
        return FilePairs(self.kind, paths, captions_of, str(root), self.max_pixels, notes).classify(labels)

    def _written(self, root: Path) -> FilePairs:
        """All images in class folders, with captions written from the names of these."""
        found = scan(root)
        folders = in_order(set(found.files))
        names = [name for folder in folders for name in found.files[folder]][: self.limit]
        if not names:
            raise DataError(
                f"{root} has no folder with images", hint="put the images of each class into a folder of it"
            )
        each = [len(found.files[folder]) for folder in folders]
        labels = np.repeat(np.arange(len(folders), dtype=np.int32), each)[: self.limit]
        captions = captions_of_classes(labels, [name.replace("_", " ") for name in folders], self.templates)
        notes = {"hidden, no images or in no class folder, and left out": found.ignored}
        paths = pa.array(names, pa.large_string())
        return FilePairs(self.kind, paths, captions, str(root), self.max_pixels, notes).classify(labels)

    @model_validator(mode="after")
    def _names_classes(self) -> FolderPairs:
        if self.templates and not self.classes:
            raise ValueError("templates write captions from class folders: set classes: true")
        if self.templates and self.caption_per_line:
            raise ValueError("templates write the captions: remove caption_per_line")
        return self


def _first_folders(paths: pa.LargeStringArray) -> pa.LargeStringArray:
    """The first folder of each path; empty for a file outside all folders."""
    return pc.if_else(
        pc.match_substring(paths, "/"),
        pc.replace_substring_regex(paths, "/.*", ""),
        pa.scalar("", pa.large_string()),
    )


@dataclass(slots=True)
class _Found:
    """What has been seen so far."""

    images_alone: int = 0
    texts_alone: int = 0
    doubles: int = 0
    _folders: set[tuple[int, int]] = field(default_factory=set)

    def pairs(self, root: Path) -> Iterator[tuple[str, str]]:
        """Paths below a folder and their texts, sorted within each folder."""
        self._is_new(str(root), "")
        for folder, inner, files in os.walk(root, followlinks=True):
            inner[:] = sorted(name for name in inner if not is_hidden(name) and self._is_new(folder, name))
            images: dict[str, str] = {}
            texts: dict[str, str] = {}
            for name in sorted(files):
                stem, suffix = os.path.splitext(name)  # noqa: PTH122 (a text a file, no objects)
                if is_hidden(name):
                    continue
                if suffix.lower() in SUFFIXES:
                    self.doubles += stem in images
                    images.setdefault(stem, name)
                elif suffix.lower() == ".txt":
                    texts[stem] = name
            self.images_alone += len(images.keys() - texts.keys())
            self.texts_alone += len(texts.keys() - images.keys())
            below = os.path.relpath(folder, root)
            for stem in sorted(images.keys() & texts.keys()):
                path = images[stem] if below == "." else f"{Path(below).as_posix()}/{images[stem]}"
                yield path, _read_text(Path(folder) / texts[stem])

    def _is_new(self, folder: str, name: str) -> bool:
        """Whether a folder was not yet visited: links may lead in circles."""
        status = (Path(folder) / name).stat()
        before = len(self._folders)
        self._folders.add((status.st_dev, status.st_ino))
        return len(self._folders) > before


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path} is not text in UTF-8", hint="save it as UTF-8, or remove it") from None
    except OSError as error:
        raise DataError(f"{path} cannot be opened ({error.strerror})", hint="repair or remove it") from None
