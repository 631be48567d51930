"""A read that hangs is told while it hangs."""

import time
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest

from protoclip_cli.core.errors import BadImage
from protoclip_cli.core.types import Preprocess
from protoclip_cli.data.loader import PairReader, Request, load
from protoclip_cli.data.pairs import PAIRS
from protoclip_cli.data.slow_reads import WatchedReads, tell_slow_reads
from protoclip_cli.data.views import IMAGE_VIEWS

PATIENCE = 0.2


class Slow(WatchedReads):
    """Stands for a file system: rows 3 and 4 take their time, row 7 is none."""

    def __init__(self, source):
        super().__init__(source, 0)

    def image(self, row, draft=None):
        if row in (3, 4):
            time.sleep(4 * PATIENCE)
        if row == 7:
            raise BadImage("7 is no image")
        return self._source.image(row, draft)


@pytest.fixture(scope="module")
def glyphs():
    return PAIRS.spec("glyphs")(kind="glyphs", limit=12, faces=["DejaVuSans"]).open()


def read(source, rows, workers, warn):
    view = IMAGE_VIEWS.spec("eval")(kind="eval").build(Preprocess(32))
    reader = PairReader(source, None, [view], view, seed=0, short_texts=True)
    requests = [Request(0, 0, np.array([row]), np.array([row]), 1, 0) for row in rows]
    with tell_slow_reads(source, warn, PATIENCE):
        return list(load(reader, requests, workers=workers, pin=False))


@pytest.mark.parametrize("workers", [0, 1])
def test_what_takes_long_is_named_with_its_time_and_told_again_when_it_has_doubled(glyphs, workers):
    told = []
    assert len(read(WatchedReads(Slow(glyphs), workers), [1, 3, 2], workers, told.append)) == 3
    assert 2 <= len(told) <= 3, told
    who = "loader process 1" if workers else "this process"
    for line in told:
        assert line.startswith(f"{who} has been reading {glyphs.place(3)} for ")
        assert line.endswith("s: the disk or network it is on does not answer")


def test_each_image_is_told_of_anew_and_quick_ones_never(glyphs):
    told = []
    read(WatchedReads(Slow(glyphs), 0), [0, 1, 3, 2, 4, 5], 0, told.append)
    named = {line.split(" for ")[0].split("reading ")[1] for line in told}
    assert named == {glyphs.place(3), glyphs.place(4)}


def test_nothing_is_being_read_after_an_error(glyphs):
    watched = WatchedReads(Slow(glyphs), 0)
    with pytest.raises(BadImage):
        watched.image(7)
    assert watched.reading() == []


def test_it_says_what_its_source_says(glyphs):
    watched = WatchedReads(glyphs, 2)
    assert len(watched) == 12
    assert (watched.fingerprint, watched.in_memory) == (glyphs.fingerprint, glyphs.in_memory)
    assert watched.captions is glyphs.captions
    assert watched.size(1) == glyphs.image(1).size
    assert watched.image_codes().tolist() == glyphs.image_codes().tolist()
    with pytest.raises(RuntimeError, match="inheritance"):
        ForkingPickler.dumps(watched)  # it travels to processes that are being started, and no other way
