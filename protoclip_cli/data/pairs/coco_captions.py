"""Pairs of a COCO captions file: several captions an image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.captions import Captions
from protoclip_cli.data.images import MAX_PIXELS
from protoclip_cli.data.pairs._files import FilePairs, existing_file, existing_folder, first_rows
from protoclip_cli.data.pairs.base import PairSpec

_NO_COCO = "it needs `images` with id and file_name, and `annotations` with image_id and caption"


class CocoCaptionPairs(PairSpec):
    """A COCO captions file, such as captions_train2017.json, and the folder of its images."""

    kind: Literal["coco_captions"] = "coco_captions"
    """A COCO captions file and the folder of its images."""
    path: Path
    """The captions file, such as coco/annotations/captions_train2017.json."""
    images_root: Path | None = None
    """The folder of the images. Null: the file's split beside its folder, such as coco/train2017."""
    max_pixels: int = Field(MAX_PIXELS, gt=0)
    """Images of more pixels than this, width times height, are refused before they are decoded."""

    def open(self) -> FilePairs:
        path = existing_file(self.path, "a file such as annotations/captions_train2017.json")
        root = self.images_root or path.parents[1] / path.stem.removeprefix("captions_")
        root = existing_folder(root, "images_root", "the folder of the images")
        try:
            content = json.loads(path.read_bytes())
        except ValueError as error:
            raise DataError(f"{path} is not JSON: {error}", hint=_NO_COCO) from None
        try:
            names, captions, notes = _pairs(content)
        except (KeyError, TypeError, AttributeError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise DataError(f"{path} is no COCO captions file ({error!r:.100})", hint=_NO_COCO) from None
        if not len(names):
            raise DataError(f"{path} has no image with a caption", hint=_NO_COCO)
        if self.limit is not None:
            names, captions = first_rows(names, self.limit), captions.first_rows(self.limit)
        return FilePairs(self.kind, names, captions, str(root), self.max_pixels, notes)


def _pairs(content: dict[str, Any]) -> tuple[pa.LargeStringArray, Captions, dict[str, int]]:
    """File names in the order of `images`, each with its captions in the order of `annotations`."""
    images, annotations = content["images"], content["annotations"]
    place_of = {image["id"]: place for place, image in enumerate(images)}
    names = pa.array([image["file_name"] for image in images], pa.large_string())
    texts = pa.array([one["caption"] for one in annotations], pa.large_string())
    if names.null_count or texts.null_count:
        raise TypeError("null instead of text")
    owner = np.array([place_of.get(one["image_id"], -1) for one in annotations], np.int64)
    known = owner >= 0
    counts = np.bincount(owner[known], minlength=len(images))
    order = np.argsort(owner, kind="stable")[np.count_nonzero(~known) :]
    notes = {
        "images without a caption": int(np.count_nonzero(counts == 0)),
        "captions of images that are not listed": int(np.count_nonzero(~known)),
        "images listed twice": len(images) - len(place_of),
    }
    names = names.filter(pa.array(counts > 0))
    return names, Captions.grouped(texts.take(pa.array(order)), counts[counts > 0]), notes
