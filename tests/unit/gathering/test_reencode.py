import asyncio
import io
import os
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest
from PIL import Image

from protoclip_cli.gathering.fetch import Fetcher
from protoclip_cli.gathering.limits import FetchLimits
from protoclip_cli.gathering.picture import PictureSettings, encode_picture
from protoclip_cli.gathering.reencode import Reencoder


def encoded(image, kind="JPEG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


PHOTO = encoded(Image.radial_gradient("L").convert("RGB"))


def encode(*bodies, processes=1, **settings):
    async def run():
        async with Reencoder(PictureSettings(**settings), processes) as reencoder:
            return await asyncio.gather(*(reencoder.encode(body) for body in bodies))

    got = asyncio.run(run())
    return got[0] if len(got) == 1 else got


def gone(pid):
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


def test_as_in_one_process():
    bodies = [PHOTO, b"no", encoded(Image.new("RGB", (999, 99))), PHOTO[:500]]
    settings = {"side": 64, "format": "webp"}
    got = encode(*bodies, processes=2, **settings)
    assert got == [encode_picture(body, PictureSettings(**settings)) for body in bodies]
    assert [one.outcome for one in got] == ["ok", "not_image", "aspect", "decode_error"]


def test_nothing():
    assert encode(b"").outcome == "empty"


def test_a_large_body_passes():
    body = PHOTO + b"\0" * 15_000_000
    assert encode(body, seconds=30).outcome == "ok"


def test_bombs():
    pixels = encoded(Image.new("1", (7_000, 7_000)), "PNG")
    got, after = encode(pixels, PHOTO)
    assert (got.outcome, after.outcome) == ("bomb", "ok")


def test_memory_is_limited():
    large = encoded(Image.new("RGB", (3_000, 3_000)), "PNG")
    got, after = encode(large, PHOTO, memory_bytes=2**26)
    assert (got.outcome, got.detail) == ("decode_error", "took more memory than allowed")
    assert after.outcome == "ok"
    assert encode(large).outcome == "ok"


def test_a_bomb_in_the_words_of_a_png():
    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    plain = encoded(Image.new("RGB", (64, 64)), "PNG")
    words = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"\0" * 300_000_000))
    assert encode(plain[:33] + words + plain[33:]).outcome in {"ok", "decode_error"}


def test_a_process_that_hangs_or_dies_is_replaced():
    async def run():
        async with Reencoder(PictureSettings(seconds=1.0), 1) as reencoder:
            outcomes = []
            for number in (signal.SIGSTOP, signal.SIGKILL):
                assert (await reencoder.encode(PHOTO)).outcome == "ok"
                pid = reencoder._idle[0].process.pid
                os.kill(pid, number)
                began = time.monotonic()
                got = await reencoder.encode(PHOTO)
                assert time.monotonic() - began < 3
                assert len(got.body_sha256) == 64
                outcomes.append((str(got.outcome), got.detail))
                assert gone(pid)
            return outcomes, (await reencoder.encode(PHOTO)).outcome

    assert asyncio.run(run()) == (
        [
            ("decode_error", "took longer than 1 s"),
            ("decode_error", "the process that decodes it ended with -9"),
        ],
        "ok",
    )


def test_one_who_is_called_off_leaves_no_answer_for_the_next():
    async def run():
        async with Reencoder(processes=1) as reencoder:
            await reencoder.encode(PHOTO)
            task = asyncio.create_task(reencoder.encode(encoded(Image.new("RGB", (3_000, 3_000)), "PNG")))
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return await reencoder.encode(PHOTO)

    assert asyncio.run(run()).original_width == 256


def test_processes_end_with_the_pool():
    async def run():
        async with Reencoder(processes=2) as reencoder:
            await asyncio.gather(reencoder.encode(PHOTO), reencoder.encode(PHOTO))
            pids = [child.process.pid for child in reencoder._idle]
        assert len(pids) == 2
        return pids

    assert all(gone(pid) for pid in asyncio.run(run()))


def test_no_process_to_be_had(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/python")
    got = encode(PHOTO)
    assert got.outcome == "io_error"
    assert "No such file" in got.detail


PARENT = """
import asyncio, sys
from protoclip_cli.gathering.reencode import Reencoder

async def run():
    async with Reencoder(processes=1) as reencoder:
        await reencoder.encode(open(sys.argv[1], "rb").read())
        print(reencoder._idle[0].process.pid, flush=True)
        await asyncio.sleep(60)

asyncio.run(run())
"""


@pytest.fixture
def parent(tmp_path):
    (tmp_path / "photo").write_bytes(PHOTO)
    (tmp_path / "PIL.py").write_text("raise SystemExit('not Pillow')")
    command = [sys.executable, "-P", "-c", PARENT, str(tmp_path / "photo")]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=tmp_path,
    ) as process:
        yield process
        process.kill()


def test_processes_end_when_ours_is_killed(parent):
    pid = int(parent.stdout.readline())
    parent.kill()
    assert gone(pid)


def test_ctrl_c_is_not_for_them(parent):
    """The terminal sends it to the whole group; only our own process says something about it."""
    pid = int(parent.stdout.readline())
    assert os.getsid(pid) == pid
    os.killpg(parent.pid, signal.SIGINT)
    words = parent.communicate(timeout=20)[1]
    assert words.count("Traceback") <= 2  # asyncio.run's own, once chained
    assert "picture_process" not in words
    assert gone(pid)


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("/ok", "ok"),
        ("/wrong-type", "ok"),
        ("/html", "not_image"),
        ("/gzip", "not_image"),
        ("/gzipped-photo", "not_image"),
        ("/bomb", "bomb"),
        ("/half", "decode_error"),
    ],
)
def test_from_an_address_to_an_image(server, path, outcome):
    async def run():
        limits = FetchLimits(ports=None, allow_private=True)
        async with Fetcher(limits) as fetcher, Reencoder(processes=1) as reencoder:
            got = await fetcher.fetch(server.url(path))
            return await reencoder.encode(got.body)

    assert asyncio.run(run()).outcome == outcome
