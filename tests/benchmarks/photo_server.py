"""Photo-like JPEG files, and a server of a folder in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

_SERVER = """
import asyncio, sys
from aiohttp import web

async def main():
    app = web.Application()
    app.router.add_static("/", sys.argv[1])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def make_photos(folder: Path, count: int, size: tuple[int, int] = (1024, 768)) -> list[str]:
    """Names of JPEG files of smooth noise with some grain, quality 90, as large as those of photographs."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for number in range(count):
        chance = np.random.default_rng(number)
        coarse = Image.fromarray(chance.integers(0, 256, (24, 32, 3), np.uint8))
        smooth = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), np.int16)
        noisy = smooth + chance.integers(-6, 7, smooth.shape, np.int16)
        names.append(f"{number:06d}.jpg")
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / names[-1], quality=90)
    return names


@contextmanager
def serve(folder: Path, core: int | None = None) -> Iterator[str]:
    """Serve a folder on this machine; yields the address it begins with."""
    bound = [] if core is None else ["taskset", "-c", str(core)]
    process = subprocess.Popen(
        [*bound, sys.executable, "-c", _SERVER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()
