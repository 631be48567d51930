"""Whether towers drop something is found out by looking at them, not at their settings."""

import pytest
import torch

from protoclip_cli.core.types import Modality
from protoclip_cli.models.adapters.lora import LoraSpec
from protoclip_cli.models.builders.open_clip import OpenClipSpec
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.vocabulary import keep_used_vocabulary
from protoclip_cli.workflows.abilities import drops_something

VIT = {"image_size": 32, "layers": 2, "width": 24, "head_width": 12, "patch_size": 8}
TEXT = {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_dropout_of_a_text_tower(dropout, make_learner):
    model = make_learner(dropout=dropout).model
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert drops_something(model, Modality.TEXT) is (dropout > 0)
    assert not drops_something(model, Modality.IMAGE)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert model.training


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_patches_that_are_dropped_count(share):
    config = {"embed_dim": 8, "vision_cfg": VIT | {"patch_dropout": share}, "text_cfg": TEXT}
    towers = OpenClipSpec.rebuild({"model_cfg": config})
    keep_used_vocabulary(towers, torch.unique(towers.tokenizer(["a dog"])))
    model = DualEncoder(towers, {})
    assert drops_something(model, Modality.IMAGE) is (share > 0)
    assert not drops_something(model, Modality.TEXT)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_dropout_of_an_adapter_counts_though_what_follows_it_starts_at_zero(share):
    pytest.importorskip("peft")
    towers = OpenClipSpec.rebuild({"model_cfg": {"embed_dim": 8, "vision_cfg": VIT, "text_cfg": TEXT}})
    adapter = LoraSpec(kind="lora", rank=2, dropout=share, targets=["*mlp*"])
    model = DualEncoder(towers, {}, {Modality.TEXT: adapter})
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert drops_something(model, Modality.TEXT) is (share > 0)
    assert not drops_something(model, Modality.IMAGE)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
