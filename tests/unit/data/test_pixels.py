"""Caches of pixels: the same images, made once, never half used."""

import fcntl
import os
import pickle
import shutil
import signal
import threading
import time
from collections import namedtuple
from multiprocessing import get_context

import numpy as np
import pytest
from PIL import Image

from protoclip_cli.core.errors import BadImage, ResourceError
from protoclip_cli.core.reporter import Silent
from protoclip_cli.data import pixel_making
from protoclip_cli.data.images import read_image, read_size
from protoclip_cli.data.pairs import PAIRS
from protoclip_cli.data.pixel_cache import CachedPixels, cache_name, is_complete
from protoclip_cli.data.pixel_making import open_pixels

SIZES = [(80, 60), (60, 80), (33, 100), (20, 10), (40, 40), (123, 77)]
BAD, CUT, GONE = 2, 4, 5


class Heard(Silent):
    def __init__(self):
        self.notes, self.steps = [], []

    def note(self, message):
        self.notes.append(message)

    def progress(self, what, done, total, numbers=""):  # noqa: ARG002
        self.steps.append((what, done, total))


def picture(width, height):
    chance = np.random.default_rng(width)
    return Image.fromarray(chance.integers(0, 256, (height // 5 + 1, width // 5 + 1, 3), np.uint8)).resize(
        (width, height)
    )


@pytest.fixture
def source(tmp_path):
    """Six good images, one with its side turned, and three bad ones among 60 rows."""
    lines = ["filepath\ttitle"]
    for row in range(60):
        name = f"{row % len(SIZES)}.png" if row > 9 else f"{row}.jpg"
        lines.append(f"{name}\tcaption {row}")
        if row < 10:
            picture(*SIZES[row % len(SIZES)]).save(tmp_path / name, quality=95)
    for number, size in enumerate(SIZES):
        picture(*size).save(tmp_path / f"{number}.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    picture(80, 60).save(tmp_path / "7.jpg", exif=turned)
    (tmp_path / f"{BAD}.jpg").write_bytes(b"no image")
    content = (tmp_path / "3.jpg").read_bytes()
    (tmp_path / f"{CUT}.jpg").write_bytes(content[: len(content) // 2])
    (tmp_path / f"{GONE}.jpg").unlink()
    table = tmp_path / "pairs.tsv"
    table.write_text("\n".join(lines) + "\n")
    return PAIRS.spec("csv")(kind="csv", path=table).open()


def opened(source, folder, size=30, workers=0, reporter=None):
    return open_pixels(source, folder, size, workers=workers, reporter=reporter or Silent())


def contents(folder):
    return {
        path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.suffix in {".bin", ".npy"}
    }


@pytest.mark.parametrize("workers", [0, 2])
def test_images_are_those_of_the_source_but_small(source, tmp_path, workers):
    cached = opened(source, tmp_path / "cache", workers=workers)
    assert len(cached) == len(source)
    assert cached.captions is source.captions
    assert cached.fingerprint == source.fingerprint
    assert cached.place(3) == source.place(3)
    assert cached.image_codes().tolist() == source.image_codes().tolist()
    for row in range(60):
        if row in (BAD, CUT, GONE):
            continue
        want, got = source.image(row), cached.image(row)
        assert got.mode == "RGB"
        assert min(got.size) == min(30, *want.size)
        assert (got.width > got.height) == (want.width > want.height)
        same = np.asarray(want.resize(got.size, Image.Resampling.BICUBIC), float) - np.asarray(got, float)
        assert np.abs(same).mean() < (10 if row < 10 else 1e-9), row
    copy = pickle.loads(pickle.dumps(cached))
    assert np.array_equal(np.asarray(copy.image(11)), np.asarray(cached.image(11)))
    assert len(pickle.dumps(cached)) < 20_000


def test_bad_images_are_bad_for_the_same_reason(source, tmp_path):
    cached = opened(source, tmp_path / "cache")
    for row in (BAD, CUT, GONE):
        for _ in range(2):
            with pytest.raises(BadImage) as want:
                source.image(row, 30)
            with pytest.raises(BadImage) as got:
                cached.image(row)
            assert str(got.value) == str(want.value)
    assert list(cached.notes.values()) == [3]


def test_the_exact_size_is_said_before_and_progress_told(source, tmp_path):
    heard = Heard()
    opened(source, tmp_path / "cache", reporter=heard)
    (pixels,) = (tmp_path / "cache").glob("*/pixels.bin")
    assert f"{pixels.stat().st_size:,} bytes for 60 images" in heard.notes[0]
    assert heard.steps == [("measuring images", 60, 60), ("making the image cache", 60, 60)]
    again = Heard()
    opened(source, tmp_path / "cache", reporter=again)
    assert (again.notes, again.steps) == ([], [])


def test_another_size_table_or_place_has_a_cache_of_its_own(source, tmp_path):
    names = {cache_name(source, 30), cache_name(source, 31)}
    spec = PAIRS.spec("csv")
    names.add(cache_name(spec(kind="csv", path=tmp_path / "pairs.tsv", limit=20).open(), 30))
    shutil.copy(tmp_path / "pairs.tsv", tmp_path / "cache_of_others.tsv")
    (tmp_path / "moved").mkdir()
    shutil.copy(tmp_path / "pairs.tsv", tmp_path / "moved" / "pairs.tsv")
    names.add(cache_name(spec(kind="csv", path=tmp_path / "moved" / "pairs.tsv").open(), 30))
    assert len(names) == 4
    assert cache_name(spec(kind="csv", path=tmp_path / "cache_of_others.tsv").open(), 30) in names


def test_a_disk_without_room_is_refused_before_anything_is_decoded(source, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(pixel_making.shutil, "disk_usage", lambda _: usage(10**6, 10**6 - 999, 999))
    heard = Heard()
    with pytest.raises(ResourceError, match=r"takes [\d,]+ bytes, and .* has 999") as caught:
        opened(source, tmp_path / "cache", reporter=heard)
    assert "image_cache.size" in caught.value.hint
    assert {what for what, *_ in heard.steps} == {"measuring images"}


def _make_until_killed(source, folder):
    class Deadly(Silent):
        def progress(self, what, done, total, numbers=""):  # noqa: ARG002
            if what.startswith("making") and done >= 24:
                os.kill(os.getpid(), signal.SIGKILL)

    pixel_making._SAVE_SECONDS = 0
    open_pixels(source, folder, 30, workers=0, reporter=Deadly())


def test_a_killed_process_leaves_what_the_next_goes_on_with(source, tmp_path, monkeypatch):
    monkeypatch.setattr(pixel_making, "_CHUNK", 4)
    whole = opened(source, tmp_path / "whole")
    process = get_context("fork").Process(target=_make_until_killed, args=(source, tmp_path / "cache"))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not is_complete(tmp_path / "cache" / cache_name(source, 30), 60)
    assert len(list((tmp_path / "cache").glob("*.part"))) == 1
    heard = Heard()
    cached = opened(source, tmp_path / "cache", reporter=heard)
    assert heard.steps[0] == ("making the image cache", 28, 60)
    assert contents(tmp_path / "cache") == contents(tmp_path / "whole")
    assert list(cached.notes.values()) == list(whole.notes.values()) == [3]
    assert not list((tmp_path / "cache").glob("*.part"))


def test_a_damaged_cache_is_made_again(source, tmp_path):
    opened(source, tmp_path / "cache")
    before = contents(tmp_path / "cache")
    (pixels,) = (tmp_path / "cache").glob("*/pixels.bin")
    os.truncate(pixels, 100)
    cached = opened(source, tmp_path / "cache")
    assert contents(tmp_path / "cache") == before
    assert cached.image(0).size == (40, 30)


def test_a_second_process_waits_for_the_first(source, tmp_path):
    (tmp_path / "cache").mkdir()
    heard, made = Heard(), []
    with (tmp_path / "cache" / f"{cache_name(source, 30)}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        thread = threading.Thread(
            target=lambda: made.append(opened(source, tmp_path / "cache", reporter=heard))
        )
        thread.start()
        time.sleep(0.2)
        assert heard.notes[0].startswith("another process makes the image cache")
        home = tmp_path / "cache" / cache_name(source, 30)
        opened(source, tmp_path / "other")
        shutil.move(tmp_path / "other" / home.name, home)
    thread.join(20)
    assert isinstance(made[0], CachedPixels)
    assert len(heard.notes) == 1
    assert heard.steps == []


def test_the_size_of_an_image_is_read_from_its_header(tmp_path):
    picture(80, 60).save(tmp_path / "a.jpg")
    content = (tmp_path / "a.jpg").read_bytes()
    assert read_size(content[:-500]) == read_image(tmp_path / "a.jpg").size == (80, 60)
    with pytest.raises(BadImage, match="80 x 60 is more than 100 pixels"):
        read_size(tmp_path / "a.jpg", 100)
    with pytest.raises(BadImage, match=r"gone\.jpg: no such file"):
        read_size(tmp_path / "gone.jpg")
