"""Where files go that can be made again."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from protoclip_cli.store.files import disk_errors


def cache_folder(asked: Path | None, name: str) -> Path:
    """The folder a user asked for, or else one below the user's own cache.

    Args:
        asked: from a recipe. None: below `$XDG_CACHE_HOME` or `~/.cache`.
        name: what is kept there.
    """
    if asked is not None:
        return asked.expanduser()
    base = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    return home / "protoclip" / name


def keep(path: Path, content: bytes) -> None:
    """Write a whole file, atomically, whoever else writes the same one at the same time."""
    with disk_errors(f"writing {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(beside).replace(path)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise
