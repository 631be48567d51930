"""Whatever is kept of a look, what is trained on is the same."""

import numpy as np
import pytest
import torch

from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Preprocess
from protoclip_cli.data.loader import PairReader
from protoclip_cli.data.pairs import PAIRS
from protoclip_cli.data.tokens import tokenize
from protoclip_cli.data.views import IMAGE_VIEWS
from protoclip_cli.training.episodes import Plan
from protoclip_cli.training.feed import Feed, Looking
from protoclip_cli.training.phases import Phase

NEEDS = Needs(image_views=1, text_views=1, prototypes=frozenset({"image<-text"}))
BATCH, IMAGE = 8, 3 * 32**2


def letters(texts, length):
    found = torch.zeros(len(texts), length, dtype=torch.long)
    for row, text in enumerate(texts):
        codes = torch.tensor([ord(letter) % 50 + 1 for letter in text[:length]])
        found[row, : len(codes)] = codes
    return found


@pytest.fixture(scope="module")
def pair_reader():
    source = PAIRS.spec("glyphs")(kind="glyphs", limit=60).open()
    view, clean = (IMAGE_VIEWS.spec(kind)(kind=kind).build(Preprocess(32)) for kind in ("glyphs", "eval"))
    return PairReader(source, tokenize(source.captions, letters, 30), [view], clean, seed=0, short_texts=True)


def make(pair_reader, *, keep=0, clean=False, workers=0, anchors=(0, 1, 2), looks=(1, 2)):
    plan = Plan(0, 60, 30, BATCH, replacement=False, anchors=anchors)
    looking = Looking(frozenset(looks), clean, keep * IMAGE * BATCH, IMAGE)
    phase = Phase(0, ("a",), NEEDS, frozenset())
    return Feed(plan, lambda _: phase, looking, pair_reader, workers=workers, pin=False)


def run(feed, *, episode=0, step=0, look=True):
    """What is looked at and trained on from somewhere to the end."""
    feed.start(episode, step, look=look)
    looked, trained = {}, {}
    for number in range(episode, feed.plan.episodes):
        if number in feed.looking.episodes and (look or number > episode):
            looked[number] = [one.batch for one in feed.look(number)]
        for at in range(max(step, 3 * number), 3 * number + 3):
            trained[at] = feed.next(at).batch
    return looked, trained


def same(one, two):
    assert one.position.tolist() == two.position.tolist()
    assert one.caption.tolist() == two.caption.tolist()
    assert all(torch.equal(a, b) for a, b in zip(one.image + one.text, two.image + two.text, strict=True))


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize("keep", [0, 2, 99])
def test_training_sees_the_same_however_much_is_kept(pair_reader, keep, clean, workers):
    _, want = run(make(pair_reader, looks=()))
    looked, got = run(make(pair_reader, keep=keep, clean=clean, workers=workers))
    assert got.keys() == want.keys() == set(range(9))
    for step, batch in want.items():
        same(got[step], batch)
    assert looked.keys() == {1, 2}
    for batches in looked.values():
        positions = np.concatenate([batch.position.numpy() for batch in batches])
        assert sorted(positions) == list(range(30)), "every position once, those of the last part batch too"


def test_a_look_sees_what_training_sees_or_the_clean_images(pair_reader):
    trained = run(make(pair_reader))[1]
    for batch, step in zip(run(make(pair_reader))[0][1], (3, 4, 5), strict=False):
        same(batch, trained[step])
        assert batch.clean is None
    for batch in run(make(pair_reader, clean=True))[0][1]:
        images = [pair_reader.source.image(int(row)) for row in batch.row]
        assert torch.equal(batch.clean, pair_reader.clean_view(images, np.zeros(len(images), np.uint64)))


def test_a_run_continued_within_an_episode_reads_its_rest(pair_reader):
    want = run(make(pair_reader, keep=99))[1]
    for look, step in ((False, 4), (True, 3), (False, 3)):
        got = run(make(pair_reader, keep=99), episode=1, step=step, look=look)[1]
        assert sorted(got) == list(range(step, 9))
        for at, batch in got.items():
            same(batch, want[at])


def test_nothing_is_kept_after_it_was_trained_on(pair_reader):
    feed = make(pair_reader, keep=99)
    run(feed)
    assert feed._kept == {}
    feed = make(pair_reader, keep=2)
    feed.start(1, 3, look=True)
    list(feed.look(1))
    assert sorted(feed._kept) == [3, 4]
    assert not any(tensor.is_shared() for one in feed._kept.values() for tensor in one.batch.image)
