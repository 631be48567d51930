"""What ends a loader process, in words."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import TypeVar

from torch import Tensor

from protoclip_cli.core.errors import ProtoclipError, ResourceError

T = TypeVar("T")

_LOST = r"DataLoader worker \(pid.*?\) (?:is killed by signal: ([\w ]+)|exited unexpectedly)"

_SIGNAL_SECONDS = 1
_NO_ROOM = "there is no room in /dev/shm, through which loader processes hand over batches"
_ROOM = "give it more (docker run --shm-size=8g), or use fewer: --set batch.workers=1, or 0 for none"


def hand_over(tensor: Tensor) -> Tensor:
    """Move a tensor of a loader process into shared memory.

    Torch would do so on its way out, in a thread whose errors reach nobody: the run would wait for ever.

    Raises:
        ResourceError: there is no room.
    """
    try:
        tensor.share_memory_()
    except RuntimeError as error:
        raise ResourceError(f"{_NO_ROOM} ({str(error)[-60:]})", hint=_ROOM) from None
    return tensor


def in_words(batches: Iterator[T]) -> Iterator[T]:
    """The batches of a loader with processes; says what happened if one of these ends."""
    _listen()
    try:
        yield from batches
    except RuntimeError as error:
        raise _explained(error) from None
    except (OSError, EOFError):
        # A process that dies while it hands something over: its end of the line is cut a moment before the
        # signal comes that says how it ended, and which `_Explaining` turns into an error here.
        time.sleep(_SIGNAL_SECONDS)
        raise
    finally:
        # An error would keep this frame, and with it the loader, until the garbage collector takes both:
        # then the queues go first, the processes hear of nothing, and torch waits ten seconds for each.
        del batches


def _listen() -> None:
    """Explain also what torch says when the loss of a process interrupts something else."""
    said = signal.getsignal(signal.SIGCHLD) if hasattr(signal, "SIGCHLD") else None
    if not callable(said) or isinstance(said, _Explaining):
        return
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGCHLD, _Explaining(said))


class _Explaining:
    def __init__(self, said: object) -> None:
        self.said = said

    def __call__(self, number: int, frame: FrameType | None) -> None:
        try:
            self.said(number, frame)  # type: ignore[operator]
        except RuntimeError as error:
            raise _explained(error) from None


def _explained(error: RuntimeError) -> Exception:
    """An error for the user where a process was lost, or else the same."""
    # Where a signal told first how the process ended, torch adds only that it did.
    if isinstance(error.__cause__, ProtoclipError):
        return error.__cause__
    found = re.search(_LOST, str(error.__cause__)) or re.search(_LOST, str(error))
    if found is None:
        return error
    match (found[1] or "").strip():
        case "Bus error":
            return ResourceError(_NO_ROOM, hint=_ROOM)
        case "Killed":
            return ResourceError(
                "a loader process was killed, most likely because memory ran out",
                hint="use fewer: --set batch.workers=1, or 0 for none",
            )
        case how:
            return ProtoclipError(
                f"a loader process ended ({how or 'nobody knows why'})",
                hint="--set batch.workers=0 reads without them and shows where it goes wrong",
            )
