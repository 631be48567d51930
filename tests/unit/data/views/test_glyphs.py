import numpy as np
import pytest
import torch
from PIL import Image

from protoclip_cli.compute.randomness import key, row_keys
from protoclip_cli.data.views import IMAGE_VIEWS, Preprocess

SPEC = IMAGE_VIEWS.spec("glyphs")
NAMES = ("rotation", "shear", "shift", "bend", "thicker", "thinner", "blur", "coarse", "contrast", "noise")
STILL = dict.fromkeys(NAMES, 0.0) | {"scale": 1.0, "stretch": 1.0}


def bar():
    pixels = np.full((32, 32), 255, np.uint8)
    pixels[6:26, 12:20] = 0
    return Image.fromarray(pixels)


def ink(count=200, **fields):
    """(count, 32, 32), 1 is ink."""
    view = SPEC(**STILL | fields).build(Preprocess(size=32))
    made = view([bar()] * count, row_keys(key(0, "glyphs"), np.arange(count)))
    assert torch.equal(made[:, 0], made[:, 2])
    return 1 - made[:, 0].float() / 255


def moments(pictures):
    """Mass, centre and spread along x and y, in pixels."""
    mass = pictures.sum((1, 2))
    axis = torch.arange(32.0) - 15.5
    x, y = (pictures * axis).sum((1, 2)) / mass, (pictures * axis[:, None]).sum((1, 2)) / mass
    xx = (pictures * axis**2).sum((1, 2)) / mass - x**2
    yy = (pictures * axis[:, None] ** 2).sum((1, 2)) / mass - y**2
    xy = (pictures * axis * axis[:, None]).sum((1, 2)) / mass - x * y
    return mass, x, y, xx, yy, xy


def test_without_strength_nothing_changes():
    original = 1 - torch.from_numpy(np.asarray(bar()).copy()).float() / 255
    assert (ink(5) - original).abs().max() <= 1 / 255


def test_shift():
    _, x, y, xx, yy, _ = moments(ink(shift=0.1))
    for centre in (x, y):
        assert 2.5 < centre.max() < 3.3
        assert -3.3 < centre.min() < -2.5
    assert xx.std() < 0.3
    assert yy.std() < 0.3


def test_scale_and_stretch():
    mass, _, _, xx, yy, _ = moments(ink(scale=1.2))
    assert mass.max() / 160 == pytest.approx(1.44, abs=0.06)
    assert mass.min() / 160 == pytest.approx(1 / 1.44, abs=0.06)
    aspect = (yy / xx).sqrt() / 2.5
    assert aspect.std() < 0.03
    _, _, _, xx, yy, _ = moments(ink(stretch=1.3))
    aspect = (yy / xx).sqrt() / 2.5
    assert aspect.max() == pytest.approx(1.3, abs=0.08)
    assert aspect.min() == pytest.approx(1 / 1.3, abs=0.08)


def test_rotation_turns_without_distortion():
    _, _, _, xx, yy, xy = moments(ink(rotation=20))
    angle = torch.rad2deg(torch.atan2(2 * xy, yy - xx) / 2)
    assert 18 < angle.max() < 21
    assert -21 < angle.min() < -18
    assert (xx * yy - xy**2).std() / (xx * yy).mean() < 0.05


def test_shear_moves_the_top_along():
    mass, _, _, _, yy, xy = moments(ink(shear=0.25))
    assert mass.std() < 3
    assert (xy / yy).max() == pytest.approx(0.25, abs=0.03)
    assert (xy / yy).min() == pytest.approx(-0.25, abs=0.03)


def test_bend_bows_a_straight_stroke():
    rows = ink(bend=0.1)
    axis = torch.arange(32.0)
    middle, end = ((rows[:, at] * axis).sum(1) / rows[:, at].sum(1) for at in (15, 8))
    assert (middle - end).abs().max() > 0.5


def test_strokes_grow_and_shrink_by_pixels():
    width = ink(thicker=1.5)[:, 15].sum(1)
    assert width.min() == pytest.approx(8, abs=0.1)
    assert width.max() == pytest.approx(11, abs=0.1)
    width = ink(thinner=1.5)[:, 15].sum(1)
    assert width.min() == pytest.approx(5, abs=0.1)
    assert width.max() == pytest.approx(8, abs=0.1)


def test_blur_keeps_the_mass():
    mass, _, _, xx, _, _ = moments(ink(blur=1.0))
    assert mass.min() > 157
    assert mass.max() < 163
    # Variances add: the bar's own is 64 / 12 less that of a pixel.
    assert xx.max() - xx.min() == pytest.approx(1, abs=0.25)


def test_coarse_takes_its_share():
    original = 1 - torch.from_numpy(np.asarray(bar()).copy()).float() / 255
    changed = (ink(coarse=0.5) - original).abs().amax((1, 2)) > 0.05
    assert 0.4 < changed.float().mean() < 0.6


def test_contrast_and_noise():
    faded = ink(contrast=0.4)
    assert 0.15 < faded.amin((1, 2)).max() < 0.21
    assert 0.79 < faded.amax((1, 2)).min() < 0.85
    noisy = ink(noise=0.1)[:, 8:24, 13:19]
    assert 0.02 < (1 - noisy).mean() < 0.04
    assert not torch.equal(noisy[0], noisy[1])


def test_strength_is_measured_in_pictures_of_32():
    large = bar().resize((64, 64), Image.Resampling.NEAREST)
    view = SPEC(**STILL | {"thicker": 1.5}).build(Preprocess(size=64))
    made = view([large] * 200, row_keys(key(0, "glyphs"), np.arange(200)))
    width = (1 - made[:, 0, 31].float() / 255).sum(1)
    assert width.max() == pytest.approx(22, abs=0.2)
