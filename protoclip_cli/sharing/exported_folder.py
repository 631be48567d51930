"""The folder of an exported model: whole or not there, and replaced only if a model was exported to it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from protoclip_cli.core.errors import UsageError
from protoclip_cli.store.files import disk_errors, flush_file, flush_folder

MARK = "protoclip_export.json"
"""What every exported folder has in it, and no other."""


def check_place(place: Path, *, force: bool) -> None:
    """Refuse a place before any work is done.

    Raises:
        UsageError: something is there that may not be replaced.
    """
    if not place.exists():
        return
    if not place.is_dir():
        raise UsageError(f"{place} is a file", hint="choose a folder with --out")
    if not any(place.iterdir()):
        return
    if not (place / MARK).is_file():
        raise UsageError(
            f"{place} has files in it that are no exported model", hint="choose another folder with --out"
        )
    if not force:
        raise UsageError(
            f"{place} holds an exported model already",
            hint="add --force to replace it, or choose another --out",
        )


@contextmanager
def exported_folder(place: Path, *, force: bool) -> Iterator[Path]:
    """An empty folder beside a place, moved there at the end; removed if anything goes wrong.

    Args:
        place: where the model shall be.
        force: replace an exported model.

    Raises:
        UsageError: something is there that may not be replaced.
        ResourceError: the disk is full.
        ProtoclipError: the folder cannot be written.
    """
    check_place(place, force=force)
    beside, grave = place.with_name(f".{place.name}.tmp"), place.with_name(f".{place.name}.old")
    with disk_errors(f"exporting to {place}"):
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir()
        try:
            yield beside
            for path in beside.rglob("*"):
                if path.is_file():
                    flush_file(path)
            flush_folder(beside)
            shutil.rmtree(grave, ignore_errors=True)
            if place.exists():
                place.rename(grave)
            beside.rename(place)
            flush_folder(place.parent)
        except BaseException:
            if grave.exists() and not place.exists():
                grave.rename(place)
            shutil.rmtree(beside, ignore_errors=True)
            raise
        shutil.rmtree(grave, ignore_errors=True)
