"""Activations that are computed again give the gradients, and the statistics, of those that are kept."""

import copy

import pytest
import torch
from torch import nn

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.models.builders.open_clip import OpenClipSpec
from protoclip_cli.models.recompute import recompute, recompute_stages

TEXT = {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2}
VIT = {"image_size": 32, "layers": 2, "width": 24, "head_width": 12, "patch_size": 16}
MODELS = {
    "residual": {"vision_cfg": {"image_size": 32, "layers": [1, 2, 1, 1], "width": 8}},
    "transformer": {"vision_cfg": VIT},
    "custom": {"vision_cfg": VIT, "custom_text": True},
    "timm with norms": {
        "vision_cfg": {"timm_model_name": "test_resnet", "image_size": 32, "timm_pool": "avg"}
    },
    "timm, deep": {
        "vision_cfg": {"timm_model_name": "test_efficientnet", "image_size": 32, "timm_pool": "avg"}
    },
    "timm without norms": {"vision_cfg": {"timm_model_name": "test_vit", "image_size": 160, "timm_pool": ""}},
}


def towers(name):
    torch.manual_seed(0)
    return OpenClipSpec.rebuild({"model_cfg": {"embed_dim": 8, "text_cfg": TEXT} | MODELS[name]}).train()


class Counted:
    """Bytes that are kept for the backward pass."""

    def __init__(self):
        self.bytes = 0

    def __call__(self, tensor):
        self.bytes += tensor.nbytes
        return tensor


def learn(model):
    torch.manual_seed(1)
    size = model.preprocess.size
    kept = Counted()
    with torch.autograd.graph.saved_tensors_hooks(kept, lambda tensor: tensor):
        image = model.image(torch.rand(4, 3, size, size))
        text = model.text(model.tokenizer(["a dog", "two", "three cats", ""])[:, :9])
    (image * text).sum().backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}, kept.bytes


@pytest.mark.parametrize("name", MODELS)
def test_gradients_and_statistics_are_equal_and_less_is_kept(name):
    plain, saving = towers(name), towers(name)
    saving.checkpoint_gradients()
    want, usual = learn(plain)
    got, less = learn(saving)
    torch.testing.assert_close(got, want)
    torch.testing.assert_close(saving.state_dict(), plain.state_dict())
    assert less < 0.8 * usual
    assert saving.state_dict().keys() == plain.state_dict().keys()


def test_a_copy_computes_with_its_own_weights():
    one = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    recompute(one)
    other = copy.deepcopy(one)
    with torch.no_grad():
        other[0].weight.zero_()
        other[0].bias.zero_()
    assert other(torch.ones(1, 3)).sum() == 0
    assert one(torch.ones(1, 3)).sum() != 0


def test_a_tower_that_cannot_is_refused():
    model = towers("residual")
    model.clip.visual = nn.Module()
    model.clip.visual.norm = nn.BatchNorm2d(3)
    with pytest.raises(RecipeError, match="this image tower cannot compute its activations again") as e:
        model.checkpoint_gradients()
    assert "batch.accumulate" in e.value.hint
    assert not recompute_stages(nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)))
