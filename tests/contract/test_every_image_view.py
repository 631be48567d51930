import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from protoclip_cli.compute.randomness import key, row_keys
from protoclip_cli.data.views import IMAGE_VIEWS, Preprocess

SIZES = [(32, 32), (31, 57), (200, 40), (1, 1), (3, 90), (33, 32), (64, 64)]
KINDS = IMAGE_VIEWS.kinds()


def images(mode):
    chance = np.random.default_rng(0)
    bands = (3,) if mode == "RGB" else ()
    return [Image.fromarray(chance.integers(0, 256, (h, w, *bands), dtype=np.uint8)) for w, h in SIZES]


def keys(episode=0):
    return row_keys(key(0, "image view", episode), np.arange(len(SIZES)))


def build(kind, size=32):
    return IMAGE_VIEWS.spec(kind)().build(Preprocess(size=size))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("size", [8, 32, 45])
def test_shape_and_dtype(kind, mode, size):
    view = build(kind, size)(images(mode), keys())
    assert view.shape == (len(SIZES), 3, size, size)
    assert view.dtype == torch.uint8
    assert view.is_contiguous()
    assert build(kind, size)([], keys()[:0]).shape == (0, 3, size, size)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_view_depends_on_its_own_row_only(kind, mode):
    view, pictures, chance = build(kind), images(mode), keys()
    whole = view(pictures, chance)
    for row in range(len(SIZES)):
        assert torch.equal(view(pictures[row : row + 1], chance[row : row + 1])[0], whole[row])
    order = [4, 0, 6, 2, 2]
    assert torch.equal(view([pictures[row] for row in order], chance[order]), whole[order])


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_batch_is_its_single_rows(kind):
    chance = np.random.default_rng(1)
    pictures = [Image.fromarray(chance.integers(0, 256, (32, 32), dtype=np.uint8)) for _ in range(300)]
    addresses = row_keys(key(1, "image view"), np.arange(300))
    view = build(kind)
    whole = view(pictures, addresses)
    for row in range(0, 300, 23):
        assert torch.equal(view(pictures[row : row + 1], addresses[row : row + 1])[0], whole[row])
    for start, stop in ((0, 7), (7, 120), (120, 300)):
        assert torch.equal(view(pictures[start:stop], addresses[start:stop]), whole[start:stop])


@pytest.mark.parametrize("kind", KINDS)
def test_the_generators_of_others_are_neither_read_nor_moved(kind):
    view, pictures, chance = build(kind), images("RGB"), keys()
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    before = torch.get_rng_state()
    first = view(pictures, chance)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    np.random.seed(2)  # noqa: NPY002
    assert torch.equal(view(pictures, chance), first)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "eval"])
def test_another_key_is_another_view(kind):
    view, pictures = build(kind), images("RGB")
    first, second = view(pictures, keys(0)), view(pictures, keys(1))
    same = [bool(torch.equal(a, b)) for a, b in zip(first, second, strict=True)]
    assert not all(same)


@pytest.mark.parametrize("kind", KINDS)
def test_it_pickles_and_leaves_its_images_alone(kind):
    view, pictures = build(kind), images("L")
    copy = pickle.loads(pickle.dumps(view))
    assert copy.draft == view.draft
    assert torch.equal(copy(pictures, keys()), view(pictures, keys()))
    for after, before in zip(pictures, images("L"), strict=True):
        assert np.array_equal(np.asarray(after), np.asarray(before))


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_described(kind):
    spec = IMAGE_VIEWS.spec(kind)
    assert spec().kind == kind
    for name, field in spec.model_fields.items():
        assert field.description, name
