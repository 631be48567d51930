"""Which layer of a tower a parameter is of, for towers of every make."""

import pytest
import torch
from torch import nn

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.types import Modality
from protoclip_cli.models.layers_above import layers_above
from protoclip_cli.models.vocabulary import keep_used_vocabulary


def above(module):
    return layers_above(module, [name for name, _ in module.named_parameters()], lambda _: False)


def some(found, **names):
    """Which of the named parts have the wrong number."""
    return {
        part: {above for name, above in found.items() if name.startswith(part)}
        for part, want in names.items()
        if {above for name, above in found.items() if name.startswith(part)} != {want}
    }


def test_blocks_of_all_stages_of_a_residual_network_are_layers(build):
    found = build("test-flat").towers.layers_above(Modality.IMAGE)
    wrong = some(found, **{"clip.visual.conv1": 5, "clip.visual.bn3": 5, "clip.visual.layer1": 4})
    wrong |= some(
        found, **{"clip.visual.layer4": 1, "clip.visual.attnpool.q": 1, "clip.visual.attnpool.c_": 0}
    )
    assert wrong == {}
    assert found["clip.visual.attnpool.positional_embedding"] == 1


def test_text_towers_of_both_of_open_clips_classes(build):
    for name, prefix in (("test-flat", "clip."), ("test-custom", "clip.text.")):
        found = build(name).towers.layers_above(Modality.TEXT)
        parts = {"token_embedding": 3, "positional": 3, "transformer.resblocks.0": 2}
        parts |= {"transformer.resblocks.1": 1, "ln_final": 1, "text_projection": 0}
        assert some(found, **{prefix + part: want for part, want in parts.items()}) == {}
        assert not any("visual" in name for name in found)


def test_a_token_table_of_used_tokens_stays_below_all_layers(build):
    towers = build("test-flat").towers
    assert keep_used_vocabulary(towers, torch.arange(5))
    assert towers.layers_above(Modality.TEXT)["clip.token_embedding.weight"] == 3


def test_towers_of_other_libraries():
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=9, hidden_size=8, num_hidden_layers=3, num_attention_heads=2, intermediate_size=8
    )
    found = above(transformers.BertModel(config))
    assert some(found, **{"embeddings.": 4, "encoder.layer.0.": 3, "encoder.layer.2.": 1, "pooler": 1}) == {}
    timm = pytest.importorskip("timm")
    found = above(timm.create_model("test_vit", num_classes=0))
    assert some(found, pos_embed=7, patch_embed=7, **{"blocks.0.": 6, "blocks.5.": 1, "norm": 1}) == {}


def test_what_stands_between_two_layers_is_of_the_lower_one():
    tower = nn.Module()
    tower.stem, tower.stage1 = nn.Linear(1, 1), nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    tower.between = nn.LayerNorm(3)
    tower.stage2, tower.end = nn.Sequential(nn.Linear(3, 3)), nn.Sequential(nn.PReLU(9), nn.PReLU(9))
    found = above(tower)
    assert some(found, **{"stem": 4, "stage1.1": 2, "between": 2, "stage2": 1}) == {}


def test_a_tower_without_layers_is_refused(make_flat_towers):
    with pytest.raises(RecipeError, match="the text tower has no layers above one another"):
        make_flat_towers().layers_above(Modality.TEXT)


@pytest.fixture
def make_flat_towers(build):
    def made():
        towers = build("test-custom").towers
        towers.clip.text = nn.Linear(2, 2)
        return towers

    return made
