import numpy as np
import torch
from PIL import Image

from protoclip_cli.compute.randomness import key, row_keys
from protoclip_cli.data.views import IMAGE_VIEWS, Preprocess


def views(array, count=300):
    view = IMAGE_VIEWS.spec("protoclip_light")().build(Preprocess(size=16))
    return view([Image.fromarray(array)] * count, row_keys(key(0, "light"), np.arange(count))).float()


def test_half_are_flipped():
    array = np.zeros((32, 32, 3), np.uint8)
    array[:, 16:] = 255
    made = views(array).mean(1)
    flipped = (made[:, :, :4].mean((1, 2)) > made[:, :, -4:].mean((1, 2))).float().mean()
    assert 0.42 < flipped < 0.58


def test_a_fifth_changes_colour_and_a_fifth_is_grey():
    array = np.full((32, 32, 3), (200, 100, 50), np.uint8)
    made = views(array)[:, :, 8, 8]
    grey = (made.max(1).values - made.min(1).values) == 0
    jittered = ~grey & ((made - torch.tensor([200.0, 100.0, 50.0])).abs().amax(1) > 2)
    assert 0.14 < grey.float().mean() < 0.26
    assert 0.10 < jittered.float().mean() < 0.22


def test_a_fifth_is_blurred():
    array = np.random.default_rng(0).integers(0, 256, (16, 16, 1), dtype=np.uint8).repeat(3, 2)
    rough = views(array).diff(dim=3).abs().mean((1, 2, 3))
    blurred = (rough < 0.35 * rough.median()).float().mean()
    assert 0.05 < blurred < 0.25
