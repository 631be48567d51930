import numpy as np
import torch
from PIL import Image

from protoclip_cli.compute.randomness import row_keys
from protoclip_cli.data.views import IMAGE_VIEWS, Preprocess


def test_it_is_the_crop_of_clip_with_half_the_area():
    pixels = np.random.default_rng(0).integers(0, 256, (45, 60, 3), dtype=np.uint8)
    images, keys = [Image.fromarray(pixels)] * 6, row_keys(3, np.arange(6))
    weak = IMAGE_VIEWS.spec("clip_rocket_weak")().build(Preprocess(size=24))
    clip = IMAGE_VIEWS.spec("clip")(min_scale=0.5).build(Preprocess(size=24))
    assert torch.equal(weak(images, keys), clip(images, keys))
    assert weak.draft == clip.draft
