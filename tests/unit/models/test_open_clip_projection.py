"""Features before the projection are those that the projection makes the embedding of."""

import open_clip
import pytest
import torch

from protoclip_cli.core.errors import DataError, RecipeError
from protoclip_cli.models.builders._open_clip_projection import without_projection
from protoclip_cli.models.builders.open_clip import OpenClipSpec

TEXT = {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
VISIONS = {
    "residual": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8},
    "transformer": {"image_size": 32, "layers": 1, "width": 24, "head_width": 12, "patch_size": 16},
    "timm": {"image_size": 32, "timm_model_name": "resnet10t", "timm_pool": "", "timm_proj": "linear"},
    "timm_mlp": {"image_size": 32, "timm_model_name": "resnet10t", "timm_pool": "", "timm_proj": "mlp"},
}
WIDTHS = {"residual": 256, "transformer": 24, "timm": 512, "timm_mlp": 512}


def config(vision):
    return {"embed_dim": 12, "vision_cfg": vision, "text_cfg": TEXT}


@pytest.mark.parametrize("kind", VISIONS)
def test_the_projection_of_the_backbone_is_the_embedding(kind):
    towers = OpenClipSpec.rebuild({"model_cfg": config(VISIONS[kind])}).eval()
    visual, images = towers.clip.visual, torch.rand(3, 3, 32, 32)
    before = {name: tensor.clone() for name, tensor in towers.state_dict().items()}
    with torch.no_grad():
        features, embeddings = towers.backbone(images), towers.image(images)
        assert features.shape == (3, WIDTHS[kind])
        if kind == "residual":
            projected = visual.attnpool.c_proj(features)
        elif kind == "transformer":
            projected = features @ visual.proj
        else:
            projected = visual.head(features)
        torch.testing.assert_close(projected, embeddings)
        after = towers.state_dict()
        assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
        torch.testing.assert_close(towers.image(images), embeddings, rtol=0, atol=0)


@pytest.mark.parametrize("kind", VISIONS)
def test_one_pass_gives_the_backbone_and_the_embedding_of_images(kind):
    towers = OpenClipSpec.rebuild({"model_cfg": config(VISIONS[kind])}).eval()
    images = torch.rand(3, 3, 32, 32)
    backbone, embedding = towers.image_parts(images)
    torch.testing.assert_close(backbone, towers.backbone(images), rtol=0, atol=0)
    torch.testing.assert_close(embedding, towers.image(images))
    embedding.sum().backward()
    assert all(p.grad is not None for p in towers.clip.visual.parameters())


TEXTS = {"matrix": {}, "bias": {"proj_bias": True}, "none": {"proj_type": "none", "width": 12}}


@pytest.mark.parametrize("custom", [False, True])
@pytest.mark.parametrize("kind", TEXTS)
def test_one_pass_gives_the_backbone_and_the_embedding_of_texts(kind, custom):
    made = {**config(VISIONS["residual"]), "custom_text": custom, "text_cfg": TEXT | TEXTS[kind]}
    towers = OpenClipSpec.rebuild({"model_cfg": made}).eval()
    tokens = towers.tokenizer(["a dog", "two words and more", ""])
    for given in (tokens, tokens[:, :9]):  # the whole context, and a batch of shorter texts
        backbone, embedding = towers.text_parts(given)
        torch.testing.assert_close(embedding, towers.text(tokens))
        torch.testing.assert_close(towers.text(given), towers.text(tokens))
        assert backbone.shape == (3, made["text_cfg"]["width"])
        assert torch.equal(backbone, embedding) is (kind == "none")


def test_a_tower_without_features_before_a_projection_says_what_to_do():
    towers = OpenClipSpec.rebuild({"model_cfg": config(VISIONS["timm"])})
    towers.clip.visual.head = torch.nn.Identity()
    with pytest.raises(RecipeError, match="no features before a projection") as e:
        towers.image_parts(torch.rand(1, 3, 32, 32))
    assert "of: embedding" in e.value.hint


def test_a_pooling_that_projects_by_itself_is_refused():
    vision = {"image_size": 64, "timm_model_name": "resnet10t", "timm_pool": "rot_attn", "timm_proj": ""}
    visual = open_clip.model._build_vision_tower(12, vision)
    with pytest.raises(DataError, match="no features before"), without_projection(visual):
        pass
