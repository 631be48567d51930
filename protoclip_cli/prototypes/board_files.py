"""The prototypes of a run on disk: one file an episode, kept while a checkpoint refers to it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from protoclip_cli.compute.main_process import on_main
from protoclip_cli.core.errors import DataError
from protoclip_cli.prototypes.board import Board
from protoclip_cli.store.files import digest_file, disk_errors, flush_file, flush_folder

_NAME = re.compile(r"episode_(\d+)\.safetensors")


def save_board(board: Board, path: Path) -> str:
    """Write prototypes, whole or not at all.

    Returns:
        The digest of the file.

    Raises:
        ResourceError: the disk is full.
    """
    beside = path.with_name(f".{path.name}.tmp")
    with disk_errors(f"saving {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        board.save(beside)
        flush_file(beside)
        digest = digest_file(beside)
        beside.replace(path)
        flush_folder(path.parent)
    return digest


@dataclass(frozen=True, slots=True)
class BoardFiles:
    """The folder `prototypes/` of a run."""

    folder: Path

    def path(self, episode: int) -> Path:
        """Where the prototypes of an episode are."""
        return self.folder / f"episode_{episode}.safetensors"

    def save(self, board: Board, episode: int) -> str:
        """Write prototypes, whole or not at all. The first process writes; all get the file's digest.

        Raises:
            ResourceError: the disk is full.
        """
        return str(on_main(lambda: save_board(board, self.path(episode))))

    def load(self, episode: int, digest: str) -> Board:
        """Read prototypes.

        Raises:
            DataError: they are not those that were saved.
        """
        path = self.path(episode)
        if not path.is_file() or digest_file(path) != digest:
            state = "missing" if not path.is_file() else "not what was saved"
            raise DataError(
                f"{path} is {state}; a checkpoint inside this episode needs it",
                hint="delete the checkpoints of this episode to go back to the one before",
            )
        return Board.load(path)

    def prune(self, in_use: set[int]) -> None:
        """Delete the prototypes that no checkpoint refers to, and what a crash left behind."""
        if not self.folder.is_dir():
            return
        for path in self.folder.iterdir():
            match = _NAME.fullmatch(path.name)
            if path.name.endswith(".tmp") or (match and int(match[1]) not in in_use):
                path.unlink(missing_ok=True)
