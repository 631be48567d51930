import numpy as np
import pytest
import torch
from PIL import Image

from protoclip_cli.data.views import IMAGE_VIEWS, Preprocess


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "random"])
@pytest.mark.parametrize("size", [(40, 60), (61, 33), (20, 50), (17, 17), (24, 24), (300, 200)])
def test_equals_open_clip(mode, interpolation, size):
    from open_clip.transform import PreprocessCfg, image_transform_v2

    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    fields = {"size": 24, "interpolation": interpolation, "resize_mode": mode, "fill_color": 7}
    theirs = image_transform_v2(PreprocessCfg(**fields), is_train=False)
    preprocess = Preprocess(**fields)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (preprocess.mean, preprocess.std))
    for image in (Image.fromarray(pixels), Image.fromarray(pixels[:, :, 0])):
        ours = IMAGE_VIEWS.spec("eval")().build(preprocess)([image], np.zeros(1, np.uint64))[0]
        torch.testing.assert_close((ours / 255 - mean) / std, theirs(image), rtol=0, atol=1e-6)


def test_strips_are_not_blown_up():
    view = IMAGE_VIEWS.spec("eval")().build(Preprocess(size=224))
    strip = np.zeros((1, 20_000, 3), np.uint8)
    strip[:, 9_990:10_010] = 255
    assert view([Image.fromarray(strip)], np.zeros(1, np.uint64)).float().mean() > 250


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="resize_mode 'zoom' is none of longest, shortest, squash"):
        IMAGE_VIEWS.spec("eval")().build(Preprocess(size=8, resize_mode="zoom"))


def test_scores_are_measured_on_full_images():
    assert IMAGE_VIEWS.spec("eval")().build(Preprocess(size=8)).draft is None
