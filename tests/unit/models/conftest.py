"""Small models of both of open_clip's classes, registered under names that are not shipped."""

import json

import open_clip
import pytest
import torch

from protoclip_cli.models.builders import BUILDERS
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.heads import HEADS

TEXT = {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2}
VIT = {"image_size": 16, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8}
CONFIGS = {
    "test-flat": {
        "embed_dim": 8,
        "quick_gelu": True,
        "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8},
        "text_cfg": TEXT,
    },
    "test-custom": {"embed_dim": 8, "custom_text": True, "vision_cfg": VIT, "text_cfg": TEXT},
    "test-pooled": {
        "embed_dim": 8,
        "custom_text": True,
        "vision_cfg": VIT,
        "text_cfg": {**TEXT, "no_causal_mask": True, "pool_type": "last"},
    },
}


@pytest.fixture(scope="session")
def registered(tmp_path_factory):
    """The names of the small models."""
    folder = tmp_path_factory.mktemp("configs")
    for name, config in CONFIGS.items():
        (folder / f"{name}.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder)
    return list(CONFIGS)


@pytest.fixture
def build(registered):  # noqa: ARG001 (open_clip must know the names)
    """`build(name)` makes a dual encoder in evaluation mode."""

    def built(name, heads=(), **fields):
        torch.manual_seed(0)
        towers = BUILDERS.spec("open_clip")(kind="open_clip", name=name, **fields).build()
        specs = {head: HEADS.spec("mlp")(kind="mlp", hidden=8, dim=4) for head in heads}
        return DualEncoder(towers, specs).eval()

    return built


@pytest.fixture
def pixels():
    return torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)


@pytest.fixture
def captions():
    return [
        "a dog",
        "",
        "two dogs and one very long caption that will not fit into sixteen tokens at all",
        "é",
    ]
