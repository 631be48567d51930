import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from pydantic import ValidationError

from protoclip_cli.compute.randomness import row_keys
from protoclip_cli.data.views import IMAGE_VIEWS, Preprocess
from protoclip_cli.data.views.clip_rocket_strong import blurred

STRONG = IMAGE_VIEWS.spec("clip_rocket_strong")
STILL = {"min_scale": 1, "grey": 0, "blur": 0, "flip": 0}
ROWS = 400


def views(number=0, rows=ROWS, **fields):
    """Views of a photo of noise that has the right size already, and the photo."""
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8))
    view = STRONG(**fields).build_number(Preprocess(size=16), number)
    return view([photo] * rows, row_keys(7, np.arange(rows))), torch.from_numpy(np.array(photo)).permute(
        2, 0, 1
    )


def share(claims):
    return pytest.approx(float(claims.float().mean()), abs=0.08)


@pytest.fixture
def no_jitter(monkeypatch):
    """Leave out jitter and crop, so that the other steps can be told. How the jitter was made."""
    from torchvision.transforms import v2

    made = []

    class Jitter(v2.Transform):
        def __init__(self, *strengths):
            super().__init__()
            made.append(strengths)

        def transform(self, image, _):
            return image

    monkeypatch.setattr(v2, "ColorJitter", Jitter)
    # Whole images only: a square has crops of other aspects too.
    monkeypatch.setattr(v2, "RandomResizedCrop", lambda *_, **__: v2.Identity())
    return made


def test_each_step_comes_as_often_as_it_says(no_jitter):
    same = lambda made, photo: (made == photo).all(dim=(1, 2, 3))  # noqa: E731
    made, photo = views(**STILL)
    assert same(made, photo).all()
    assert no_jitter == [(0.4, 0.4, 0.4, 0.1)]
    assert share(same(*views(**{**STILL, "flip": 0.3}))) == 0.7
    assert share(same(*views(**{**STILL, "solarize": 0.4}))) == 0.6
    assert share(same(*views(**{**STILL, "blur": 0.5}))) == 0.5
    made, _ = views(**{**STILL, "grey": 0.2})
    assert share((made[:, 0] == made[:, 1]).all(dim=(1, 2))) == 0.2


def test_solarised_inverts_what_is_bright(no_jitter):  # noqa: ARG001
    made, photo = views(rows=1, **{**STILL, "solarize": 1})
    assert torch.equal(made[0], torch.where(photo >= 128, 255 - photo, photo))


def test_the_two_views_of_byol_differ_as_published(no_jitter):
    first, photo = views(0, pair="byol", min_scale=1, grey=0, flip=0)
    second, _ = views(1, pair="byol", min_scale=1, grey=0, flip=0)
    assert no_jitter == [(0.4, 0.4, 0.2, 0.1)] * 2
    assert not (first == photo).all(dim=(1, 2, 3)).any(), "all blurred"
    solarised = torch.where(photo >= 128, 255 - photo, photo)
    assert share((second == photo).all(dim=(1, 2, 3))) == 0.9 * 0.8
    assert share((second == solarised).all(dim=(1, 2, 3))) == 0.9 * 0.2


def test_the_blur_is_of_random_deviation():
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8))
    torch.manual_seed(0)
    deviation = float(torch.empty(()).uniform_(0.1, 2.0))
    torch.manual_seed(0)
    want = photo.filter(ImageFilter.GaussianBlur(deviation))
    assert np.array_equal(np.asarray(blurred(photo)), np.asarray(want))


def test_a_share_of_weak_views():
    strong, _ = views(rows=60)
    mixed, _ = views(rows=60, share=0.5)
    none, _ = views(rows=60, share=0)
    # Weak views keep the colours of a photo; nearly all strong ones are jittered.
    photo = Image.new("RGB", (30, 30), (200, 100, 50))
    keys = row_keys(7, np.arange(ROWS))
    view = STRONG(share=0.5).build(Preprocess(size=16))
    still = (view([photo] * ROWS, keys) == torch.tensor([200, 100, 50]).view(3, 1, 1)).all(dim=(1, 2, 3))
    assert share(still) == 0.5 + 0.5 * 0.2 * 0.8
    assert not torch.equal(mixed, strong)
    assert not torch.equal(mixed, none)


def test_another_size():
    made, _ = views(rows=2, size=12)
    assert made.shape == (2, 3, 12, 12)
    assert STRONG(size=12).side(Preprocess(size=16)) == 12
    assert STRONG().side(Preprocess(size=16)) == 16


def test_what_does_not_fit():
    with pytest.raises(ValidationError, match="min_scale is larger than max_scale"):
        STRONG(max_scale=0.05)
    with pytest.raises(ValidationError, match="byol says itself how often to blur and solarize; leave"):
        STRONG(pair="byol", solarize=0.2)
    assert STRONG(pair="byol").mistake(2) is None
    assert "makes two views, and this policy is to make 3" in STRONG(pair="byol").mistake(3)
    assert STRONG().mistake(3) is None
