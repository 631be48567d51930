import pytest
import torch
from torch import nn

from protoclip_cli.core.types import Modality
from protoclip_cli.models.dropout import has_dropout, tower_has_dropout


class DropPath(nn.Module):
    """As timm's: a rate, and a function."""

    def __init__(self, rate):
        super().__init__()
        self.drop_prob = rate


@pytest.mark.parametrize(
    ("module", "drops"),
    [
        (nn.Linear(2, 2), False),
        (nn.Dropout(0.1), True),
        (nn.Dropout1d(0.1), True),
        (nn.Dropout(0.0), False),
        (nn.MultiheadAttention(4, 2, dropout=0.1), True),
        (nn.MultiheadAttention(4, 2), False),
        (DropPath(0.2), True),
        (DropPath(0.0), False),
        (nn.Sequential(nn.Sequential(nn.GELU(), nn.Dropout(0.5))), True),
    ],
)
def test_what_drops(module, drops):
    assert has_dropout(module) is drops


def test_each_tower_speaks_for_itself(build):
    towers = build("test-custom").towers
    assert not any(tower_has_dropout(towers, side) for side in Modality)
    towers.clip.visual.patch_dropout = nn.Dropout(0.1)
    assert tower_has_dropout(towers, Modality.IMAGE)
    assert not tower_has_dropout(towers, Modality.TEXT)
    towers.clip.visual.patch_dropout = nn.Identity()
    towers.clip.text.transformer.resblocks[0].attn.dropout = 0.1
    assert tower_has_dropout(towers, Modality.TEXT)
    assert not tower_has_dropout(towers, Modality.IMAGE)


def test_a_transformer_of_hugging_face_drops(transformer, tmp_path):
    from transformers import AutoModel

    model = AutoModel.from_pretrained(transformer(tmp_path, ["a dog", "a cat"]))
    assert has_dropout(model)
    assert torch.is_grad_enabled()
