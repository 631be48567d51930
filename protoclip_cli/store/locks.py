"""Locks that end with the process that holds them, however it ends, so that none is ever left behind.

They are the system's own (`flock`). Where a disk or system knows none, everything goes on without: only two
commands at work on one run at the same time need them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from protoclip_cli.core.errors import DataError

_APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold a file, made if it is not there, while others who want it wait.

    Args:
        path: which file.

    Yields:
        The open file, to read and to append to.
    """
    handle = _hold(path, _APPEND, shared=False)
    assert handle is not None
    try:
        yield handle
    finally:
        _release(handle)


@contextmanager
def pinned(folder: Path) -> Iterator[None]:
    """Keep a folder from being removed by who asks `unpinned`. Several may pin the same one.

    Raises:
        DataError: it has been removed meanwhile.
    """
    folder = folder.resolve()
    if os.name != "posix":
        yield
        return
    try:
        handle = _hold(folder, os.O_RDONLY, shared=True)
    except FileNotFoundError:
        raise DataError(f"{folder} has just been removed", hint="name a newer checkpoint") from None
    assert handle is not None
    try:
        yield
    finally:
        _release(handle)


@contextmanager
def unpinned(folder: Path) -> Iterator[bool]:
    """Say whether nobody has pinned a folder; inside nobody can, so that it may be removed there."""
    if os.name != "posix":
        yield True
        return
    try:
        handle = _hold(folder, os.O_RDONLY, shared=False, wait=False)
    except FileNotFoundError:
        yield False
        return
    try:
        yield handle is not None
    finally:
        if handle is not None:
            _release(handle)


def _hold(path: Path, flags: int, *, shared: bool, wait: bool = True) -> int | None:
    """Open and lock; None if others hold it and nobody shall wait.

    Before the lock was ours another may have put something new in its place. A lock on what was there before
    would keep nobody out, so it is tried again.
    """
    while True:
        handle = os.open(path, flags, 0o644)
        try:
            if not _lock(handle, shared=shared, wait=wait):
                os.close(handle)
                return None
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), path.stat()):
                    return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _lock(handle: int, *, shared: bool, wait: bool) -> bool:
    if os.name != "posix":
        return True
    import fcntl

    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return True  # this disk has no locks
    return True


def _release(handle: int) -> None:
    """Unlock before closing: a loader process that was forked meanwhile has the file open, too."""
    if os.name == "posix":
        import fcntl

        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)
    os.close(handle)
