"""The folder that a gathering fills.

OUT/
  gather.json      what it was begun with: lists, settings that decide about images
  list.parquet     the rows of all lists: url, caption, split
  journal.jsonl    what became of each row
  images/          000/001/000001234.jpg: the row's number, a thousand to a folder
  pairs.parquet    the result: every row with its status
  pairs.tsv        the rows that have an image, as `protoclip train` and open_clip read them
  summary.json     counts
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protoclip_cli.core.errors import UsageError
from protoclip_cli.store.files import disk_errors, flush_folder, read_json, write_json

_ABOUT = "gather.json"


@dataclass(frozen=True, slots=True)
class GatherFolder:
    """Names in the folder, and the writing of images."""

    path: Path

    @property
    def about(self) -> Path:
        """What it was begun with."""
        return self.path / _ABOUT

    @property
    def rows(self) -> Path:
        """All rows of all lists."""
        return self.path / "list.parquet"

    @property
    def journal(self) -> Path:
        """What became of each row."""
        return self.path / "journal.jsonl"

    @property
    def summary(self) -> Path:
        """Counts."""
        return self.path / "summary.json"

    @property
    def begun(self) -> Path:
        """Files that are being written. Nothing in it matters after a crash."""
        return self.path / ".tmp"

    def table(self, split: str | None, suffix: str) -> Path:
        """The result of a split."""
        return self.path / f"pairs{'' if split is None else f'_{split}'}.{suffix}"

    def open(self, origin: dict[str, Any]) -> bool:
        """Begin, or find what was begun.

        Args:
            origin: what must be the same for work to be continued.

        Returns:
            Whether it was begun before.

        Raises:
            UsageError: it was begun with something else.
        """
        if self.about.is_file():
            known = read_json(self.about)
            if different := sorted(k for k in origin.keys() | known.keys() if origin.get(k) != known.get(k)):
                raise UsageError(
                    f"{self.path} was begun with other settings (different: {', '.join(different)})",
                    hint="give the same ones to continue, or choose another folder",
                )
            return True
        return False

    def _refuse_strangers(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise UsageError(f"{self.path} is a file", hint="choose another folder")
        if not self.path.is_dir() or self.about.is_file():
            return
        ours = {".tmp", ".lock", self.rows.name}
        if any(child.name not in ours for child in self.path.iterdir()):
            raise UsageError(
                f"{self.path} has files in it but was not gathered", hint="choose another folder"
            )

    def begin(self, origin: dict[str, Any]) -> None:
        """Say what the folder is for; the list is there already."""
        write_json(self.about, origin)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep a second command out, and leave no unfinished file behind.

        Raises:
            UsageError: the folder holds something else, or another command works in it.
        """
        import fcntl

        self._refuse_strangers()
        with disk_errors(f"writing to {self.path}"):
            self.path.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(
                    f"another command is gathering into {self.path}", hint="wait for it, or stop it first"
                ) from None
            shutil.rmtree(self.begun, ignore_errors=True)
            self.begun.mkdir(exist_ok=True)
            try:
                yield
            finally:
                shutil.rmtree(self.begun, ignore_errors=True)
        finally:
            os.close(lock)

    def image(self, row: int, suffix: str) -> str:
        """Where the image of a row belongs, relative to the folder.

        >>> GatherFolder(Path("out")).image(1234, "jpg")
        'images/000/001/000001234.jpg'
        """
        return f"images/{row // 1_000_000:03d}/{row // 1000 % 1000:03d}/{row:09d}.{suffix}"

    def write_image(self, name: str, content: bytes) -> None:
        """Write a whole image, or none."""
        target, beside = self.path / name, self.begun / Path(name).name
        with disk_errors(f"writing {target}"):
            target.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(target)

    def flush(self, names: set[str]) -> None:
        """Make the names of some images survive a power cut."""
        for parent in {(self.path / name).parent for name in names}:
            flush_folder(parent)
