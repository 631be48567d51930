"""Bodies from strangers are decoded in other processes, which may hang or crash without harm."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import socket
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import protoclip_cli
from protoclip_cli.gathering.outcomes import Outcome
from protoclip_cli.gathering.picture import Encoded, PictureSettings
from protoclip_cli.gathering.picture_process import READY, REPLY, REQUEST

_START_SECONDS = 60.0
_LONGEST_ABOUT = 2**16
_LONGEST_FILE = 2**29
# -P: a PIL.py in the current folder is not Pillow.
_CODE = "from protoclip_cli.gathering.picture_process import main; main()"


@dataclass(frozen=True, slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    link: socket.socket

    async def ask(self, body: bytes) -> Encoded:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self.link, REQUEST.pack(len(body)))
        await loop.sock_sendall(self.link, body)
        about_length, length = REPLY.unpack(await self.receive(REPLY.size))
        if about_length > _LONGEST_ABOUT or length > _LONGEST_FILE:
            raise ConnectionError("no answer of ours")
        about = json.loads(await self.receive(about_length))
        about["outcome"] = Outcome(about["outcome"])
        data = bytes(await self.receive(length))
        return Encoded(**about, data=data or None)

    async def receive(self, length: int) -> bytearray:
        loop = asyncio.get_running_loop()
        buffer = bytearray(length)
        room = memoryview(buffer)
        while room:
            got = await loop.sock_recv_into(self.link, room)
            if not got:
                raise ConnectionError("the process ended")
            room = room[got:]
        return buffer

    async def stop(self) -> int:
        """End it; the code it ended with, or minus the signal."""
        self.link.close()
        if self.process.poll() is None:
            self.process.kill()
        return await asyncio.to_thread(self.process.wait)


class Reencoder:
    """Encodes images on several cores. To be entered with `async with`; any number of `encode` may run."""

    def __init__(self, settings: PictureSettings | None = None, processes: int | None = None) -> None:
        """Set the rules.

        Args:
            settings: how images are written, which are refused, and what decoding one may cost.
            processes: how many images at a time. None: one for each core.
        """
        self.settings = settings or PictureSettings()
        self._free = asyncio.Semaphore(processes or _cores())
        self._idle: list[_Child] = []

    async def __aenter__(self) -> Self:
        """Processes start when they are needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the processes."""
        while self._idle:
            await self._idle.pop().stop()

    async def encode(self, body: bytes) -> Encoded:
        """What becomes of a body. Raises nothing but `CancelledError`."""
        if not body:
            return _failed(body, Outcome.EMPTY, "")
        async with self._free:
            try:
                child = self._idle.pop() if self._idle else await self._start()
            except (OSError, TimeoutError) as error:
                return _failed(body, Outcome.IO_ERROR, f"no process to decode it: {error}")
            return await self._ask(child, body)

    async def _ask(self, child: _Child, body: bytes) -> Encoded:
        try:
            async with asyncio.timeout(self.settings.seconds):
                encoded = await child.ask(body)
        except TimeoutError:
            await child.stop()
            return _failed(body, Outcome.DECODE_ERROR, f"took longer than {self.settings.seconds:g} s")
        except (OSError, ValueError, KeyError, TypeError):
            code = await child.stop()
            return _failed(body, Outcome.DECODE_ERROR, f"the process that decodes it ended with {code}")
        except BaseException:
            # Called off: its answer would be taken for that to the next question.
            await child.stop()
            raise
        self._idle.append(child)
        return encoded

    async def _start(self) -> _Child:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        root = str(Path(protoclip_cli.__file__).parents[1])
        path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        with theirs:
            try:
                process = subprocess.Popen(
                    [sys.executable, "-P", "-c", _CODE, json.dumps(asdict(self.settings))],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={**os.environ, "PYTHONPATH": path},
                    start_new_session=True,  # Ctrl-C is for us
                )
            except OSError:
                ours.close()
                raise
        child = _Child(process, ours)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await child.receive(len(READY))
        except BaseException:
            await child.stop()
            raise
        return child


def _failed(body: bytes, outcome: Outcome, detail: str) -> Encoded:
    return Encoded(outcome=outcome, detail=detail, body_sha256=hashlib.sha256(body).hexdigest())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
