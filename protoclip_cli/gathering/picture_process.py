"""The process that decodes: it gets bodies and gives files, through the socket that is its standard input.

It is expected to be taken over by one of the bodies some day, so it has little memory, writes no files and
opens few. It ends when the other end of the socket does, and when one image takes too long.
"""

from __future__ import annotations

import contextlib
import json
import resource
import signal
import socket
import struct
import sys
from dataclasses import asdict
from typing import Any

from PIL import Image, ImageFile

from protoclip_cli.gathering.picture import FORMATS, Encoded, PictureSettings, encode_picture

REQUEST = struct.Struct(">Q")
"""Length of the body that follows."""
REPLY = struct.Struct(">IQ")
"""Lengths of the description (JSON) and the file that follow."""
READY = b"!"


def main() -> None:
    """Serve until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = PictureSettings(**json.loads(sys.argv[1]))
    Image.MAX_IMAGE_PIXELS = settings.max_pixels
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    _warm_up(settings)
    _limit(settings.memory_bytes)
    with socket.socket(fileno=0) as link, contextlib.suppress(ConnectionError):
        link.sendall(READY)
        while (body := _body(link)) is not None:
            # Above the limit of the process that started us: for when that one is gone. The signal kills.
            signal.setitimer(signal.ITIMER_REAL, settings.seconds + 1)
            encoded = encode_picture(body, settings)
            signal.setitimer(signal.ITIMER_REAL, 0)
            _reply(link, encoded)


def _body(link: socket.socket) -> bytes | None:
    head = link.recv(REQUEST.size, socket.MSG_WAITALL)
    if len(head) < REQUEST.size:
        return None
    length = REQUEST.unpack(head)[0]
    body = link.recv(length, socket.MSG_WAITALL)
    return body if len(body) == length else None


def _reply(link: socket.socket, encoded: Encoded) -> None:
    about: dict[str, Any] = asdict(encoded)
    data = about.pop("data") or b""
    text = json.dumps(about).encode()
    link.sendall(REPLY.pack(len(text), len(data)) + text)
    link.sendall(data)


def _warm_up(settings: PictureSettings) -> None:
    """Load what Pillow loads late, before there is a limit on files and memory."""
    Image.preinit()
    Image.init()
    import io

    import PIL.MpoImagePlugin  # noqa: F401

    for kind in FORMATS:
        buffer = io.BytesIO()
        image = Image.new("RGB", (settings.min_side + 1, settings.min_side + 1))
        image.getexif()[0x0112] = 6
        image.save(buffer, kind)
        encode_picture(buffer.getvalue(), settings)


def _limit(memory: int) -> None:
    limits = [
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 16),
        (resource.RLIMIT_AS, memory),
    ]
    for kind, most in limits:
        with contextlib.suppress(ValueError, OSError):  # a system that has no such limit
            resource.setrlimit(kind, (most, most))
