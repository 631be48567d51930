import faulthandler
import os
import resource
import signal
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from protoclip_cli.core.errors import BadImage, DataError, ProtoclipError, ResourceError
from protoclip_cli.core.types import Preprocess
from protoclip_cli.data.captions import Captions
from protoclip_cli.data.loader import ImageReader, PairReader, Request, choose_captions, load
from protoclip_cli.data.pairs import PAIRS
from protoclip_cli.data.reading_texts import OddTexts, TextViews
from protoclip_cli.data.text_views import TEXT_VIEWS
from protoclip_cli.data.tokens import Tokens, tokenize
from protoclip_cli.data.views import IMAGE_VIEWS


class Broken:
    """A source in which some images cannot be read."""

    def __init__(self, source, bad, captions=None):
        self.source, self.bad = source, frozenset(bad)
        self.captions = captions or source.captions
        self.in_memory, self.fingerprint = False, "broken"

    def __len__(self):
        return len(self.source)

    def image(self, row, draft=None):
        if row in self.bad:
            raise BadImage(f"{row}.jpg: no such file")
        return self.source.image(row, draft)


def letters(texts, length):
    found = torch.zeros(len(texts), length, dtype=torch.long)
    for row, text in enumerate(texts):
        codes = torch.tensor([ord(letter) % 50 + 1 for letter in text[:length]], dtype=torch.long)
        found[row, : len(codes)] = codes
    return found


@pytest.fixture(scope="module")
def glyphs():
    return PAIRS.spec("glyphs")(kind="glyphs", limit=60).open()


def reader(source, seed=0, view="glyphs"):
    made, clean = (IMAGE_VIEWS.spec(kind)(kind=kind).build(Preprocess(32)) for kind in (view, "eval"))
    return PairReader(
        source, tokenize(source.captions, letters, 30), [made], clean, seed=seed, short_texts=True
    )


def requests(world=1, rank=0, batches=3, size=12, episode=0):
    share = size // world
    for batch in range(batches):
        start = batch * size + rank * share
        positions = np.arange(start, start + share)
        yield Request(episode, episode, positions, positions % 60, 1, 1)


def read(source, *, workers=0, seed=0, **where):
    return list(load(reader(source, seed), list(requests(**where)), workers=workers, pin=False))


def columns(fetched):
    return [
        torch.cat([getattr(one.batch, name) for one in fetched]) for name in ("position", "row", "caption")
    ]


BAD = range(0, 60, 7)


def test_a_bad_image_is_replaced_by_a_pair_that_can_be_read_and_listed(glyphs):
    (one,) = read(Broken(glyphs, BAD), batches=1)
    rows = one.batch.row.tolist()
    assert [row for row, _ in one.bad][:1] == [0]
    assert {0, 7} <= {row for row, _ in one.bad} <= set(BAD)
    assert one.bad[0][1] == "0.jpg: no such file"
    assert not set(rows) & set(BAD)
    assert [row for place, row in enumerate(rows) if place not in (0, 7)] == [1, 2, 3, 4, 5, 6, 8, 9, 10, 11]
    assert one.batch.caption.tolist() == rows
    assert one.batch.position.tolist() == list(range(12))


def test_image_and_caption_stay_a_pair_after_a_replacement(glyphs):
    source = Broken(glyphs, BAD)
    (one,) = read(source, batches=1)
    exact = reader(glyphs)
    for place, row in enumerate(one.batch.row.tolist()):
        alone = exact[Request(0, 0, np.array([place]), np.array([row]), 1, 1)].batch
        assert torch.equal(one.batch.image[0][place], alone.image[0][0])
        width = alone.text[0].shape[1]
        assert torch.equal(one.batch.text[0][place, :width], alone.text[0][0])
        assert not one.batch.text[0][place, width:].any()


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(workers, glyphs):
    source = Broken(glyphs, BAD)
    alone, together = read(source), read(source, workers=workers)
    assert [one.bad for one in together] == [one.bad for one in alone]
    for a, b in zip(alone, together, strict=True):
        assert torch.equal(a.batch.row, b.batch.row)
        assert torch.equal(a.batch.image[0], b.batch.image[0])
        assert torch.equal(a.batch.text[0], b.batch.text[0])


@pytest.mark.parametrize("world", [2, 3])
def test_processes_change_nothing(world, glyphs):
    source = Broken(glyphs, BAD)
    whole = read(source)
    shares = [read(source, world=world, rank=rank) for rank in range(world)]
    for step, want in enumerate(whole):
        parts = [share[step] for share in shares]
        for got, wanted in zip(columns(parts), columns([want]), strict=True):
            assert torch.equal(got, wanted)
        assert torch.equal(torch.cat([part.batch.image[0] for part in parts]), want.batch.image[0])
        assert [bad for part in parts for bad in part.bad] == list(want.bad)


def test_replacements_depend_on_seed_episode_and_row_alone(glyphs):
    source = Broken(glyphs, range(12))
    first = read(source, batches=1)[0].batch.row.tolist()
    assert read(source, batches=1)[0].batch.row.tolist() == first
    assert read(source, batches=1, seed=1)[0].batch.row.tolist() != first
    assert read(source, batches=1, episode=1)[0].batch.row.tolist() != first


@pytest.mark.parametrize("workers", [0, 1])
def test_a_source_without_a_good_image_is_an_error_in_words(workers, glyphs):
    source = Broken(glyphs, range(60))
    with pytest.raises(
        DataError, match=r"^row 0 and 20 replacements cannot be read; the first: 0\.jpg: no "
    ) as e:
        read(source, workers=workers)
    assert "\n" not in str(e.value)
    assert "relative ones start at the table's folder" in e.value.hint


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_image_in_an_evaluation_is_an_error_in_words(workers, glyphs):
    view = IMAGE_VIEWS.spec("eval")(kind="eval").build(Preprocess(32))
    batches = load(ImageReader(Broken(glyphs, [3]), view), [np.arange(5)], workers=workers, pin=False)
    with pytest.raises(BadImage, match=r"^3\.jpg: no such file$"):
        next(batches)


class Deadly(Broken):
    """A source that does something to the loader process at its 30th row."""

    def __init__(self, source, deed):
        super().__init__(source, [])
        self.deed, self.home = deed, os.getpid()

    def image(self, row, draft=None):
        if row == 30 and os.getpid() != self.home:
            self.deed()
        return super().image(row, draft)


def leave_no_room():
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))


def kill_with(number):
    faulthandler.disable()  # its words are not for the screen of the tests
    os.kill(os.getpid(), number)


# A process that is killed while it hands over memory leaves half a connection to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("deed", "kind", "match", "hint"),
    [
        (leave_no_room, ResourceError, "no room in /dev/shm", "--shm-size"),
        (partial(kill_with, signal.SIGBUS), ResourceError, "no room in /dev/shm", "--shm-size"),
        (
            partial(kill_with, signal.SIGKILL),
            ResourceError,
            "most likely because memory ran out",
            "workers=1",
        ),
        (partial(kill_with, signal.SIGABRT), ProtoclipError, r"process ended \(Abort", "batch.workers=0"),
        (partial(os._exit, 3), ProtoclipError, "process ended", "batch.workers=0"),
    ],
)
def test_a_loader_process_that_is_lost_is_an_error_in_words(deed, kind, match, hint, glyphs):
    with pytest.raises(ProtoclipError, match=match) as caught:
        read(Deadly(glyphs, deed), workers=1)
    assert type(caught.value) is kind
    assert hint in caught.value.hint
    assert "\n" not in str(caught.value)


def test_of_several_captions_one_is_chosen_by_seed_episode_and_row(glyphs):
    counts = np.arange(60) % 4 + 1
    first = np.concatenate([[0], counts.cumsum()])
    captions = Captions([f"c{i}" for i in range(first[-1])], first)
    source = Broken(glyphs, [], captions)
    rows = np.arange(60)

    def choose(seed, episode):
        return reader(source, seed).choose_captions(episode, rows)

    chosen = choose(0, 0)
    assert ((first[:-1] <= chosen) & (chosen < first[1:])).all()
    assert (choose(0, 0) == chosen).all()
    assert (choose(0, 1) != chosen).any()
    assert (choose(1, 0) != chosen).any()
    assert (reader(source).choose_captions(0, rows[::-1])[::-1] == chosen).all()
    assert torch.cat([one.batch.caption for one in read(source)]).tolist() == chosen[:36].tolist()
    seen = {int(choose(0, episode)[3] - first[3]) for episode in range(60)}
    assert seen == {0, 1, 2, 3}


def test_views_that_nobody_needs_are_not_made(glyphs):
    one = reader(Broken(glyphs, range(60)))[Request(0, 0, np.arange(3), np.arange(3), 0, 2)]
    assert one.batch.image == ()
    assert len(one.batch.text) == 2
    assert one.bad == ()


def test_two_views_of_an_image_differ(glyphs):
    one = reader(glyphs)[Request(0, 0, np.arange(3), np.arange(3), 2, 0)].batch
    assert one.text == ()
    assert not torch.equal(*one.image)


def test_labels_are_those_of_the_rows_that_were_read():
    labelled = PAIRS.spec("glyphs")(kind="glyphs", limit=60, classes="name").open()
    source = Broken(labelled, {1})
    source.labels = labelled.labels
    rows = np.arange(3)
    one = reader(source)[Request(0, 0, rows, rows, 1, 1, labels=True)].batch
    assert one.row[1] != 1
    assert one.labels.dtype == torch.long
    assert one.labels.tolist() == labelled.labels[one.row.numpy()].tolist()
    assert reader(source)[Request(0, 0, rows, rows, 1, 1)].batch.labels is None


def test_a_template_is_drawn_anew_in_each_episode_and_stays_in_it():
    texts = Captions(["a cat", "the cat", "one dog", "this dog"], np.array([0, 2, 4]), np.arange(40) % 2)
    chosen = [choose_captions(texts, 0, episode, np.arange(40)) for episode in (0, 0, 1)]
    assert np.array_equal(chosen[0], chosen[1])
    assert not np.array_equal(chosen[0], chosen[2])
    assert np.array_equal(chosen[0] // 2, np.arange(40) % 2)
    assert set(chosen[0].tolist()) == {0, 1, 2, 3}


SEVERAL = np.arange(60) % 4 + 1
WORDY = Captions.grouped([f"the {i} of a b c d" for i in range(SEVERAL.sum())], SEVERAL)


def text_reader(source, *policies, learned=None, length=30):
    table, tokens = tokenize(source.captions, letters, length), Tokens(letters, length)
    made = [TEXT_VIEWS.spec(policy["kind"])(**policy).build() for policy in policies]
    views = TextViews(source.captions, table, tokens, made, seed=0, learned=learned)
    image, clean = (IMAGE_VIEWS.spec(kind)(kind=kind).build(Preprocess(32)) for kind in ("glyphs", "eval"))
    return PairReader(source, table, [image], clean, seed=0, short_texts=True, text_views=views)


WEAK, PLAIN, CAPTIONS = ({"kind": kind} for kind in ("clip_rocket_weak", "plain", "captions"))
STRONG = {"kind": "clip_rocket_strong", "caption": "any", "clean": True}


def asked(world=1, rank=0, episode=0, views=3):
    for one in requests(world, rank, episode=episode):
        yield replace(one, image_views=0, text_views=views)


def texts(made_by, *, workers=0, **where):
    """Its text views by step and number, each as lists of tokens without their padding."""
    return [
        [[[t for t in row if t] for row in view.tolist()] for view in one.batch.text]
        for one in load(made_by, list(asked(**where)), workers=workers, pin=False)
    ]


@pytest.mark.parametrize(
    "policies", [(WEAK,), (WEAK, STRONG), (PLAIN, STRONG), (CAPTIONS,), (PLAIN, CAPTIONS)]
)
def test_workers_and_processes_change_no_text(policies, glyphs):
    made_by = text_reader(Broken(glyphs, BAD, WORDY), *policies)
    alone = texts(made_by)
    assert texts(made_by, workers=2) == alone
    shares = [texts(made_by, world=2, rank=rank) for rank in range(2)]
    for step, want in enumerate(alone):
        assert [one + two for one, two in zip(shares[0][step], shares[1][step], strict=True)] == want
    assert texts(made_by, episode=1) != alone
    for step in alone:
        assert step[0] != step[1] != step[2]


def test_the_first_text_view_reads_the_chosen_caption_and_plain_ones_are_equal(glyphs):
    source = Broken(glyphs, [], WORDY)
    plain = texts(text_reader(source, PLAIN))
    assert all(one == two == three for one, two, three in plain)
    still = {**STRONG, "stop_words": 0, "none": 1, "swap": 0, "deletion": 0}
    for policy in (CAPTIONS, still):
        assert [step[0] for step in texts(text_reader(source, policy))] == [step[0] for step in plain]


def test_changed_texts_that_are_cut_are_counted(glyphs):
    made_by = text_reader(
        Broken(glyphs, [], WORDY), PLAIN, {"kind": "clip_rocket_weak", "stop_words": 0}, length=9
    )
    (one, *_) = load(made_by, list(asked()), workers=0, pin=False)
    assert one.odd_texts == OddTexts(cut=24)
    assert one.batch.text[1].shape == (12, 9)


def test_a_text_with_a_token_that_does_not_learn_is_its_caption(glyphs):
    source = Broken(glyphs, [], Captions(["a b"] * 30 + ["c d"] * 30))
    known = np.unique(letters(["a b"], 30).numpy())
    policy = {"kind": "clip_rocket_strong", "stop_words": 0, "swap": 1, "deletion": 0}
    made_by = text_reader(source, policy, learned=known)
    request = Request(0, 0, np.arange(4), np.array([0, 1, 40, 41]), 0, 1)
    one = made_by[request]
    assert one.odd_texts == OddTexts(unknown=2)
    assert one.batch.text[0].tolist() == letters(["b a", "b a", "c d", "c d"], 3).tolist()
    assert made_by[replace(request, rows=np.arange(4))].odd_texts == OddTexts()


def test_each_image_view_has_its_own_policy_and_one_reading_serves_all(glyphs):
    read_at = []

    class Noting(Broken):
        def image(self, row, draft=None):
            read_at.append(draft)
            return super().image(row, draft)

    specs = (("glyphs", {}), ("clip", {}), ("clip_rocket_strong", {"size": 20}))
    views = [IMAGE_VIEWS.spec(kind)(**fields).build(Preprocess(32)) for kind, fields in specs]
    both = PairReader(Noting(glyphs, []), None, views, views[0], seed=0, short_texts=True)
    one = both[Request(0, 0, np.arange(3), np.arange(3), 4, 0)].batch
    assert [view.shape[-1] for view in one.image] == [32, 32, 20, 20]
    assert not torch.equal(one.image[2], one.image[3])
    assert read_at == [max(view.draft for view in views)] * 3
    alone = PairReader(glyphs, None, views[:1], views[0], seed=0, short_texts=True)
    assert torch.equal(alone[Request(0, 0, np.arange(3), np.arange(3), 1, 0)].batch.image[0], one.image[0])
