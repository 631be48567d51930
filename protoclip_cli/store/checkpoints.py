"""Checkpoints: folders that are whole or do not exist, found and checked on resume."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from protoclip_cli.core.errors import DataError, ResourceError
from protoclip_cli.store.files import (
    digest_file,
    disk_errors,
    flush_file,
    flush_folder,
    read_json,
    write_json,
)
from protoclip_cli.store.locks import unpinned

_NAME = re.compile(r"step_(\d+)")
_STATE = "state.json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint folder."""

    path: Path

    @property
    def step(self) -> int:
        """Optimiser steps done when it was saved; -1 for a folder of another name."""
        match = _NAME.fullmatch(self.path.resolve().name)
        return int(match[1]) if match else -1

    def state(self) -> dict[str, Any]:
        """Counters and where the run was."""
        return dict(read_json(self.path / _STATE))

    def check(self) -> None:
        """Compare the files with what was written.

        Raises:
            DataError: a file is missing or differs.
        """
        try:
            files = self.state()["files"]
        except (OSError, ValueError, KeyError, TypeError):
            raise DataError(f"{self.path} is not a whole checkpoint: no readable {_STATE}") from None
        for name, digest in files.items():
            path = self.path / name
            if not path.is_file() or digest_file(path) != digest:
                raise DataError(f"{self.path} is damaged: {name} is not what was saved")


def list_checkpoints(folder: Path) -> list[Checkpoint]:
    """Checkpoints of a run, oldest first; not yet checked."""
    found = (
        [Checkpoint(path) for path in folder.iterdir() if _NAME.fullmatch(path.name)]
        if folder.is_dir()
        else []
    )
    return sorted(found, key=lambda checkpoint: checkpoint.step)


def last_good(folder: Path, note: Callable[[str], None]) -> Checkpoint | None:
    """The newest checkpoint that is whole; says which ones are not."""
    for checkpoint in reversed(list_checkpoints(folder)):
        try:
            checkpoint.check()
        except DataError as error:
            note(f"{error}; trying the one before")
            continue
        return checkpoint
    return None


def save_checkpoint(
    folder: Path, step: int, write: Mapping[str, Callable[[Path], object]], state: Mapping[str, Any]
) -> Checkpoint:
    """Write a checkpoint beside its place, check nothing is half done, and move it there.

    Args:
        folder: of the run's checkpoints.
        step: optimiser steps done.
        write: by file name, what writes it.
        state: counters, saved last.

    Raises:
        ResourceError: the disk is full. What was saved before is intact.
    """
    place, beside = folder / f"step_{step}", folder / f".step_{step}.tmp"
    shutil.rmtree(beside, ignore_errors=True)
    try:
        with disk_errors(f"saving {place}"):
            beside.mkdir(parents=True)
            for name, writer in write.items():
                _write(writer, beside / name)
                flush_file(beside / name)
            files = {name: digest_file(beside / name) for name in write}
            write_json(beside / _STATE, {**state, "files": files})
            remove_checkpoint(place)
            beside.rename(place)
            flush_folder(folder)
            _point(folder / "last", place)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return Checkpoint(place)


def _write(writer: Callable[[Path], object], path: Path) -> None:
    """Some writers report a full disk in words of their own."""
    try:
        writer(path)
    except OSError:
        raise
    except Exception as error:
        text = str(error)
        if "No space left" in text or "unexpected pos" in text or "write failed" in text:
            raise ResourceError(
                f"the disk is full while saving {path.parent}",
                hint="make room, then continue with --resume; what was saved before is intact",
            ) from error
        raise


def _point(link: Path, place: Path) -> None:
    """Let a relative link point to a checkpoint, in one move."""
    beside = link.with_name(".last.tmp")
    beside.unlink(missing_ok=True)
    beside.symlink_to(place.name)
    beside.replace(link)


def remove_checkpoint(path: Path) -> None:
    """Delete a checkpoint so that no half of it can be taken for a whole one."""
    if path.is_dir():
        grave = path.with_name(f".{path.name}.old")
        shutil.rmtree(grave, ignore_errors=True)
        path.rename(grave)
        shutil.rmtree(grave, ignore_errors=True)


def prune(folder: Path, keep_last: int, keep: Callable[[int], bool]) -> None:
    """Delete all but the newest checkpoints and those to keep, and what a crash left behind.

    One that is being evaluated stays until a later call.
    """
    for path in folder.glob(".step_*"):
        shutil.rmtree(path, ignore_errors=True)
    for checkpoint in list_checkpoints(folder)[:-keep_last]:
        if keep(checkpoint.step):
            continue
        with unpinned(checkpoint.path) as free:
            if free:
                remove_checkpoint(checkpoint.path)


def tensors_hash(tensors: Mapping[str, Tensor]) -> str:
    """A fingerprint of named tensors: their names, types, shapes and bytes."""
    import torch

    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data if tensor.numel() else b"")
    return digest.hexdigest()


def free_bytes(folder: Path) -> int:
    """Room left on the disk of a folder that may not exist yet."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(os.fspath(folder)).free
