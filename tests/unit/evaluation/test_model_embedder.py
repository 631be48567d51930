import numpy as np
import pytest
import torch

from protoclip_cli.core.errors import DataError
from protoclip_cli.core.types import Modality
from protoclip_cli.evaluation.embedder import CachedEmbedder
from protoclip_cli.evaluation.model_embedder import ModelEmbedder
from protoclip_cli.models.builders import BUILDERS
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.heads import HEADS

ROWS = np.arange(5)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    towers = BUILDERS.spec("open_clip")(kind="open_clip", name="glyphs-tiny").build()
    return DualEncoder(towers, {"h": HEADS.spec("mlp")(kind="mlp", hidden=8, dim=4)}).eval()


@pytest.fixture
def cached(model):
    return CachedEmbedder(ModelEmbedder(model, torch.device("cpu"), workers=0))


def test_one_model_has_several_features(cached, benchmark):
    images = benchmark.test.images
    widths = {
        name: cached.using(name).images(images, ROWS).shape[1] for name in ("embedding", "h", "backbone")
    }
    assert widths == {"embedding": 128, "h": 4, "backbone": 96}
    assert cached.using("h").texts(["a", "b"]).shape == (2, 4)
    assert np.array_equal(cached.using("embedding").images(images, ROWS), cached.images(images, ROWS))
    assert cached.using("h") is cached.using("h")  # and so extracts once
    assert cached.using("h").model_hash == cached.model_hash


@pytest.mark.parametrize(("ask", "reason"), [("g", "no head 'g'"), ("backbone", "texts have no backbone")])
def test_features_that_are_not_there(cached, ask, reason):
    with pytest.raises(DataError, match=reason):
        cached.using(ask).texts(["a"])


def test_a_tower_to_train_is_a_copy_of_the_image_side(cached, model, benchmark):
    tower = cached.tunable()
    learns = [name for name, parameter in tower.module.named_parameters() if parameter.requires_grad]
    assert learns
    assert all(name.startswith("_model.towers.clip.visual") for name in learns)
    view = tower.view([benchmark.test.images.image(0)] * 2, np.zeros(2, np.uint64))
    tower.module.eval()
    assert torch.equal(tower.module(view), model(Modality.IMAGE, view).embedding)
    with torch.no_grad():
        for parameter in tower.module.parameters():
            parameter.zero_()
    assert any(parameter.any() for parameter in model.parameters())
