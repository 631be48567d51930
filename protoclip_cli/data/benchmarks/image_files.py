"""Images that rows of a table name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.folder_images import FolderImages


def images_by_name(folder: Path, names: Sequence[str], hint: str) -> tuple[FolderImages, NDArray[np.int64]]:
    """Each image once, and which one each row has.

    Args:
        folder: of the images.
        names: (n,), paths below it, one a row; several rows may have one image.
        hint: what to put where.

    Returns:
        The images, and (n,) rows of them.

    Raises:
        DataError: a path leads out of the folder, or a file is not there.
    """
    positions = {name: number for number, name in enumerate(dict.fromkeys(names))}
    root = folder.expanduser()
    if astray := [name for name in positions if Path(name).is_absolute() or ".." in Path(name).parts]:
        raise DataError(f"image {astray[0]} is not below {root}", hint="name images from their folder on")
    if absent := [name for name in positions if not (root / name).is_file()]:
        raise DataError(
            f"{len(absent):,} of {len(positions):,} images are not in {root}, the first is {absent[0]}",
            hint=hint,
        )
    return FolderImages(root, list(positions)), np.array([positions[name] for name in names], np.int64)
