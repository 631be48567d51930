import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from protoclip_cli.compute.randomness import key, row_keys
from protoclip_cli.data.views import IMAGE_VIEWS, Preprocess

CLIP = IMAGE_VIEWS.spec("clip")


def photo(width=60, height=45):
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_equals_open_clip_for_one_seed():
    from open_clip.transform import PreprocessCfg, image_transform_v2

    theirs = image_transform_v2(PreprocessCfg(size=24), is_train=True)
    preprocess = Preprocess(size=24)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (preprocess.mean, preprocess.std))
    chance = row_keys(key(0, "clip"), np.arange(5))
    ours = CLIP().build(preprocess)([photo()] * 5, chance)
    for row, address in enumerate(chance):
        torch.manual_seed(int(address) & (2**63 - 1))
        torch.testing.assert_close((ours[row] / 255 - mean) / std, theirs(photo()), rtol=0, atol=1e-6)


def test_the_share_of_the_area():
    # The whole of a square image, whatever the key; a crop of it otherwise.
    view = CLIP(min_scale=1.0).build(Preprocess(size=30))
    square = photo(30, 30)
    whole = torch.from_numpy(np.asarray(square).transpose(2, 0, 1).copy())
    assert (view([square] * 20, row_keys(0, np.arange(20))) == whole).all(dim=(1, 2, 3)).any()
    with pytest.raises(ValidationError, match="min_scale is larger than max_scale"):
        CLIP(min_scale=0.9, max_scale=0.5)


@pytest.mark.parametrize("kind", ["clip", "protoclip_light"])
@pytest.mark.parametrize("side", [(1, 1), (3, 2), (1, 3)])
def test_no_crop_of_a_drafted_image_is_enlarged(kind, side, monkeypatch):
    from torchvision.transforms import v2

    make_params, crops = v2.RandomResizedCrop.make_params, []

    def note(self, inputs):
        crops.append(make_params(self, inputs))
        return crops[-1]

    monkeypatch.setattr(v2.RandomResizedCrop, "make_params", note)
    view = IMAGE_VIEWS.spec(kind)().build(Preprocess(size=64))
    image = photo(side[0] * view.draft, side[1] * view.draft)
    view([image] * 40, row_keys(1, np.arange(40)))
    assert len(crops) == 40
    # Sides are rounded.
    assert min(min(crop["height"], crop["width"]) for crop in crops) >= 64 - 1
