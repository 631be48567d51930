import json

import pytest
import torch
from pydantic import ValidationError

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.types import Modality
from protoclip_cli.models.builders import BUILDERS
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.heads import HEADS
from protoclip_cli.models.saved import load_model, save_description, save_weights

TEXTS = ["a dog", "two dogs", ""]


@pytest.fixture(scope="module")
def roberta(transformer, tmp_path_factory):
    return {"kind": "huggingface", "name": str(transformer(tmp_path_factory.mktemp("roberta"), TEXTS))}


IMAGE = {"kind": "timm", "name": "test_vit", "size": 32}
RESNET = {"kind": "timm", "name": "test_resnet", "size": 32}


def make(image, text, dim=6, **fields):
    torch.manual_seed(0)
    return BUILDERS.parse({"image": image, "text": text, "dim": dim, **fields}, None).build()


@pytest.fixture
def glove(tmp_path):
    (tmp_path / "v.txt").write_text("a 1 0 0\ndog 0 2 0\n")
    return {"kind": "static_vectors", "path": str(tmp_path / "v.txt")}


def test_each_tower_leads_into_the_shared_space(roberta):
    towers = make(IMAGE, roberta)
    images, tokens = torch.rand(2, 3, 32, 32), towers.tokenizer(TEXTS)
    towers.eval()
    assert towers.width == 6
    assert towers.image(images).shape == (2, 6)
    assert towers.text(tokens).shape == (3, 6)
    assert towers.backbone(images).shape == (2, 64)
    assert towers.text_backbone(tokens).shape == (3, 24)
    torch.testing.assert_close(
        towers.image(images), towers.backbone(images) @ towers.image_projection.weight.T
    )
    assert towers.image_projection.bias is None
    assert towers.scale is None


def test_both_parts_of_a_tower_come_from_one_pass(roberta):
    towers = make(IMAGE, roberta).eval()
    images, tokens = torch.rand(2, 3, 32, 32), towers.tokenizer(TEXTS)
    for parts, whole, before in (
        (towers.image_parts(images), towers.image(images), towers.backbone(images)),
        (towers.text_parts(tokens), towers.text(tokens), towers.text_backbone(tokens)),
    ):
        torch.testing.assert_close(parts, (before, whole))
    ends = [name for name, _ in towers.named_parameters() if towers.is_projection(name)]
    assert ends == ["image_projection.weight", "text_projection.weight"]


def test_a_head_reads_the_backbone(roberta):
    head = HEADS.spec("linear")(kind="linear", dim=5, of="backbone")
    model = DualEncoder(make(IMAGE, roberta), {"clean": head}).eval()
    seen = model(Modality.IMAGE, torch.zeros(2, 3, 32, 32, dtype=torch.uint8), ["clean"])
    assert seen.heads["clean"].shape == (2, 5)


def test_a_projection_starts_as_wide_as_one_over_the_root_of_the_width(roberta):
    towers = make(IMAGE, roberta, dim=4096)
    assert towers.image_projection.weight.std().item() == pytest.approx(64**-0.5, rel=0.02)
    assert towers.text_projection.weight.std().item() == pytest.approx(24**-0.5, rel=0.02)


def test_without_a_projection_widths_must_meet(roberta, glove):
    with pytest.raises(
        RecipeError, match="tower widths that do not meet: 64 of the image tower, 24"
    ) as error:
        make(IMAGE, roberta, dim=None)
    assert "model.dim" in error.value.hint
    towers = make(
        {"kind": "open_clip", "name": "test-flat"}, {"kind": "open_clip", "name": "test-flat"}, None
    )
    assert towers.width == 8
    assert not list(towers.image_projection.parameters())
    assert glove


@pytest.fixture(autouse=True)
def _registered(registered):
    """open_clip knows the small models."""
    assert registered


@pytest.mark.parametrize("text", ["roberta", "glove", "open_clip"])
@pytest.mark.parametrize("image", [IMAGE, RESNET, {"kind": "torchvision", "name": "resnet18", "size": 32}])
def test_a_saved_model_is_the_same_model(image, text, request, tmp_path, monkeypatch):
    if text == "open_clip":
        part = {"kind": "open_clip", "name": "test-custom"}
    else:
        part = dict(request.getfixturevalue(text))
    heads = {"proto": HEADS.spec("mlp")(kind="mlp", hidden=5, dim=4)}
    model = DualEncoder(make(image, part), heads).eval()
    save_weights(model, tmp_path / "model.safetensors")
    save_description(model, tmp_path / "model.json")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    again = load_model(tmp_path).eval()
    assert again.towers.preprocess == model.towers.preprocess
    assert again.towers.description == model.towers.description
    assert json.loads((tmp_path / "model.json").read_text())["builder"] == "two_towers"
    pixels = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    for one, other in zip(_features(model, pixels), _features(again, pixels), strict=True):
        assert torch.equal(one, other)


def _features(model, pixels):
    with torch.no_grad():
        image = model(Modality.IMAGE, pixels, ["proto"])
        text = model(Modality.TEXT, model.towers.tokenizer(TEXTS), ["proto"])
        return image.embedding, image.heads["proto"], text.embedding, model.backbone(pixels)


def test_every_parameter_has_one_side(roberta):
    model = DualEncoder(make(RESNET, roberta), {})
    for name, _ in model.named_parameters():
        side = Modality.IMAGE if name.startswith("towers.image") else Modality.TEXT
        assert model.modality_of(name) is side


def learning(model, side):
    model.train().set_learning(side, True)
    return {
        model.towers.own_name(n.removeprefix("towers."))
        for n, p in model.named_parameters()
        if p.requires_grad
    }


def test_a_locked_tower_learns_in_its_last_stages(roberta):
    model = DualEncoder(make(RESNET, roberta), {})
    model.requires_grad_(False)
    model.lock(Modality.IMAGE, 0)
    assert learning(model, Modality.IMAGE) == set()
    model = DualEncoder(make(RESNET, roberta), {}).requires_grad_(False)
    model.lock(Modality.IMAGE, 2)
    learns = learning(model, Modality.IMAGE)
    assert "image_projection.weight" in learns
    assert {name.split(".")[0] for name in learns} == {"image_projection", "layer4"}
    model = DualEncoder(make(RESNET, roberta), {}).requires_grad_(False)
    model.lock(Modality.TEXT, 1)
    assert learning(model, Modality.TEXT) == {"text_projection.weight"}
    with pytest.raises(RecipeError, match="99 groups of layers are to learn, and the text tower has 5"):
        model.lock(Modality.TEXT, 99)


def test_parameters_freeze_by_name(roberta):
    model = DualEncoder(make(RESNET, roberta), {}).requires_grad_(False)
    model.freeze(Modality.TEXT, ["*", "!model.encoder.layer.1.*", "*.bias"])
    learns = learning(model, Modality.TEXT)
    assert learns
    assert all(n.startswith("model.encoder.layer.1.") and not n.endswith("bias") for n in learns)
    inner = model.towers.text_tower.model
    assert not inner.embeddings.training, "what is all frozen is as in evaluation"
    assert inner.encoder.layer[1].attention.self.query.training


def test_a_pattern_lets_learn_what_lock_has_taken_and_must_fit(roberta):
    model = DualEncoder(make(RESNET, roberta), {}).requires_grad_(False)
    model.lock(Modality.TEXT, 0)
    model.freeze(Modality.TEXT, ["!*LayerNorm*"])
    assert {n.split(".")[-2] for n in learning(model, Modality.TEXT)} == {"LayerNorm"}
    with pytest.raises(RecipeError, match=r"towers.image.frozen: '!visual\.\*' is no parameter") as error:
        model.freeze(Modality.IMAGE, ["!visual.*"])
    assert "conv1.0.weight" in error.value.hint


def test_only_some_tokens_learn_only_where_a_tower_can(roberta):
    with pytest.raises(ValidationError, match=r"vocabulary: used needs .* not one of huggingface"):
        make(IMAGE, roberta, vocabulary="used")
    assert make(IMAGE, {"kind": "open_clip", "name": "test-flat"}, vocabulary="used").width == 6


def test_gradient_checkpointing_changes_no_gradient(roberta):
    grads = []
    for again in (False, True):
        towers = make(IMAGE, roberta).eval()
        if again:
            towers.checkpoint_gradients()
            towers.train()
            for module in towers.modules():
                if isinstance(module, torch.nn.Dropout):
                    module.p = 0.0
        loss = (
            towers.image(torch.ones(2, 3, 32, 32)).sum() + towers.text(towers.tokenizer(TEXTS)).square().sum()
        )
        loss.backward()
        grads.append({name: p.grad for name, p in towers.named_parameters() if p.grad is not None})
    assert grads[0].keys() == grads[1].keys()
    for name, gradient in grads[0].items():
        torch.testing.assert_close(grads[1][name], gradient)
    with pytest.raises(RecipeError, match="ResNet has no gradient checkpointing"):
        make({"kind": "torchvision", "name": "resnet18"}, roberta).checkpoint_gradients()


def test_the_kind_may_be_left_out_and_a_mistake_is_named(roberta):
    assert BUILDERS.parse({"image": IMAGE, "text": roberta}, None).kind == "two_towers"
    assert BUILDERS.parse({"name": "test-flat"}, None).kind == "open_clip"
    with pytest.raises(ValidationError, match="did you mean 'timm'"):
        BUILDERS.parse({"image": {**IMAGE, "kind": "tim"}, "text": roberta}, None)
    with pytest.raises(ValidationError, match="this key is missing"):
        BUILDERS.parse({"image": IMAGE}, None)
