import numpy as np

from protoclip_cli.data.benchmarks.readers.digits import DigitImages, DigitsSpec


def test_ink_is_dark_on_white_paper():
    ink = np.zeros((1, 8, 8))
    ink[0, 2:6, 3:5] = 16
    image = DigitImages(ink, side=32, margin=4).image(0)
    pixels = np.asarray(image)
    assert (image.mode, pixels.shape) == ("RGB", (32, 32, 3))
    assert (pixels[:4] == 255).all()
    assert pixels[16, 16].tolist() == [0, 0, 0]


def test_halves_share_no_row_and_hold_every_class():
    benchmark = DigitsSpec().open()
    assert not set(benchmark.train.rows) & set(benchmark.test.rows)
    for part in (benchmark.train, benchmark.test):
        assert np.bincount(part.labels).min() > 80


def test_the_fingerprint_is_that_of_the_drawing():
    drawn = [DigitsSpec(**settings).open().test.images.fingerprint for settings in ({}, {}, {"margin": 0})]
    assert drawn[0] == drawn[1] != drawn[2]
