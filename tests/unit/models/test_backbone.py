import pytest
import torch

from protoclip_cli.core.errors import DataError
from protoclip_cli.core.types import Modality


@pytest.mark.parametrize(
    ("name", "side", "width", "projection"),
    [
        ("test-flat", 32, 256, "towers.clip.visual.attnpool"),
        ("test-custom", 16, 32, "towers.clip.visual.proj"),
        ("glyphs-tiny", 32, 96, "towers.clip.visual.head"),
    ],
)
def test_the_backbone_is_what_comes_before_the_projection(build, name, side, width, projection):
    model = build(name)
    pixels = torch.randint(0, 256, (3, 3, side, side), dtype=torch.uint8)
    with torch.no_grad():
        backbone, embedding = model.backbone(pixels), model(Modality.IMAGE, pixels).embedding
        assert backbone.shape == (3, width)
        for parameter in (p for n, p in model.named_parameters() if n.startswith(projection)):
            parameter.mul_(0.5)
        assert torch.equal(model.backbone(pixels), backbone)
        assert not torch.allclose(model(Modality.IMAGE, pixels).embedding, embedding)


def test_a_tower_in_one_part_says_so(build):
    model = build("test-custom")
    model.towers.clip.visual.proj = None
    with pytest.raises(DataError, match="no backbone apart"):
        model.backbone(torch.zeros(1, 3, 16, 16, dtype=torch.uint8))
