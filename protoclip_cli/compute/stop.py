"""One flag that all processes agree on: a signal asks for a stop, and everyone stops at the same step."""

from __future__ import annotations

import signal
import time
from types import FrameType, TracebackType
from typing import Any

import torch
import torch.distributed as dist

from protoclip_cli.compute.processes import world

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
_SAME_SECONDS = 2.0


class StopFlag:
    """Remembers SIGTERM, SIGINT and SIGUSR1 while it is active; a second SIGINT stops at once.

    `poll` is collective: every process must call it at the same places. It runs over a group of its own on
    the CPU, so that asking does not wait for the accelerator.
    """

    def __init__(self) -> None:
        self._received, self._since = 0, 0.0
        self._agreed = 0
        self._previous: dict[int, object] = {}
        self._group: Any = dist.new_group(backend="gloo") if world() > 1 else None

    def __enter__(self) -> StopFlag:
        for number in _SIGNALS:
            self._previous[number] = signal.signal(number, self._remember)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _remember(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        # A launcher passes a Ctrl-C on to processes that the terminal has told already: that is still one.
        again = self._received == number == signal.SIGINT and time.monotonic() - self._since > _SAME_SECONDS
        if again:
            raise KeyboardInterrupt
        if not self._received:
            self._since = time.monotonic()
        self._received = number

    def poll(self) -> int:
        """The signal that asked any process to stop, or 0. The same answer on all processes."""
        if self._agreed == 0:
            asked = torch.tensor([self._received])
            if self._group is not None:
                dist.all_reduce(asked, dist.ReduceOp.MAX, group=self._group)
            self._agreed = int(asked)
        return self._agreed
