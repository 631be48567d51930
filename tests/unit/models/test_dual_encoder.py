import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import Compose, Normalize, ToTensor

from protoclip_cli.core.types import Modality
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.heads import HEADS


def test_bytes_become_what_torchvision_makes_of_them(build):
    model = build("test-flat")
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
    preprocess = model.towers.preprocess
    want = Compose([ToTensor(), Normalize(preprocess.mean, preprocess.std)])(picture)
    given = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]
    torch.testing.assert_close(model._normalise(given)[0], want, rtol=0, atol=1e-6)


def test_channels_last_is_a_layout_and_changes_no_value(build, pixels):
    model = build("test-flat")
    before = model(Modality.IMAGE, pixels).embedding
    model.prefer_channels_last()
    torch.testing.assert_close(model(Modality.IMAGE, pixels).embedding, before)


def test_heads_run_when_they_are_asked_for_and_each_side_has_its_own(build, pixels):
    model = build("test-flat", heads=["proto", "local"])
    image = model(Modality.IMAGE, pixels, ["proto"])
    text = model(Modality.TEXT, model.towers.tokenizer(["a", "b"]), ["local", "proto"])
    assert {name: tuple(x.shape) for name, x in image.heads.items()} == {"proto": (3, 4)}
    assert {name: tuple(x.shape) for name, x in text.heads.items()} == {"local": (2, 4), "proto": (2, 4)}


def test_heads_of_a_name_start_alike_as_in_the_original_unless_told_otherwise(build):
    towers = build("test-flat").towers
    for shared in (True, False):
        spec = HEADS.spec("mlp")(kind="mlp", hidden=5, dim=4, shared_start=shared)
        model = DualEncoder(towers, {"proto": spec})
        image, text = (
            heads["proto"].state_dict()
            for heads in (model.image_projection_heads, model.text_projection_heads)
        )
        assert all(torch.equal(image[name], text[name]) for name in image) is shared
        assert image["0.weight"].data_ptr() != text["0.weight"].data_ptr()


@pytest.mark.parametrize("name", ["test-flat", "test-custom"])
def test_a_head_of_the_backbone_reads_what_comes_before_the_projection(name, build, pixels):
    model = build(name)
    spec = HEADS.spec("mlp")
    heads = {
        "deep": spec(kind="mlp", layers=0, dim=4, of="backbone"),
        "flat": spec(kind="mlp", layers=0, dim=4),
    }
    model = DualEncoder(model.towers, heads).eval()
    side = model.towers.preprocess.size
    views = {Modality.IMAGE: pixels[..., :side, :side], Modality.TEXT: model.towers.tokenizer(["a", "b"])}
    for modality, view in views.items():
        own = model.image_projection_heads if modality is Modality.IMAGE else model.text_projection_heads
        features, plain = model(modality, view, ["deep", "flat"]), model(modality, view)
        torch.testing.assert_close(features.embedding, plain.embedding)
        torch.testing.assert_close(features.heads["flat"], own["flat"](plain.embedding))
        given = model._normalise(view) if modality is Modality.IMAGE else view
        parts = model.towers.image_parts if modality is Modality.IMAGE else model.towers.text_parts
        torch.testing.assert_close(features.heads["deep"], own["deep"](parts(given)[0]))
        assert own["deep"][0].in_features != model.towers.width


def test_parts_are_taken_only_for_a_head_that_reads_the_backbone(build, pixels, monkeypatch):
    towers = build("test-flat").towers
    spec = HEADS.spec("mlp")
    model = DualEncoder(towers, {"a": spec(kind="mlp", of="backbone"), "b": spec(kind="mlp")}).eval()
    monkeypatch.setattr(towers, "image_parts", None)
    model(Modality.IMAGE, pixels, ["b"])
    with pytest.raises(TypeError):
        model(Modality.IMAGE, pixels, ["a"])


def test_backbone_heads_of_one_width_start_alike_and_others_apart(build):
    for name, alike in (("test-flat", False), ("test-custom", False)):
        towers = build(name).towers
        model = DualEncoder(towers, {"a": HEADS.spec("mlp")(kind="mlp", layers=0, of="backbone")})
        image, text = model.image_projection_heads["a"][0], model.text_projection_heads["a"][0]
        assert (image.weight.shape == text.weight.shape) is alike
    towers.text_parts, towers.image_parts = (lambda *_: (torch.zeros(2, 5), torch.zeros(2, 8)) for _ in "ab")
    model = DualEncoder(towers, {"a": HEADS.spec("mlp")(kind="mlp", layers=0, of="backbone")})
    assert torch.equal(
        model.image_projection_heads["a"][0].weight, model.text_projection_heads["a"][0].weight
    )


def test_measuring_a_backbone_leaves_the_towers_as_they_are(build):
    towers = build("test-flat").towers.train()
    towers.clip.visual.layer1.eval()
    before = {name: tensor.clone() for name, tensor in towers.state_dict().items()}
    DualEncoder(towers, {"a": HEADS.spec("mlp")(kind="mlp", of="backbone")})
    assert all(torch.equal(tensor, before[name]) for name, tensor in towers.state_dict().items())
    assert towers.training
    assert not towers.clip.visual.layer1.training


def test_a_locked_tower_learns_in_its_last_groups_alone(build):
    model = build("test-flat", heads=["proto"])
    model.lock(Modality.TEXT, 0)
    model.lock(Modality.IMAGE, 1)
    model.train()
    for side in Modality:
        model.set_learning(side, True)
    learns = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    towers = {name for name in learns if name.startswith("towers")}
    assert towers, "the last group of the image tower learns"
    assert all("visual" in name for name in towers)
    every = {name for name, _ in model.named_parameters() if "visual" in name}
    assert towers < every
    assert any("projection_head" in name for name in learns), "heads are not part of a tower"
    for name, module in model.named_modules():
        inside = {n for n, _ in module.named_parameters(prefix=name)}
        if name.startswith("towers.") and inside:
            assert module.training is not inside.isdisjoint(learns), name


def test_every_parameter_has_one_side(build):
    for name in ("test-flat", "test-custom"):
        model = build(name, heads=["proto"])
        sides = {n: model.modality_of(n) for n, _ in model.named_parameters()}
        image = [n for n, side in sides.items() if side is Modality.IMAGE]
        assert all("visual" in n or n.startswith("image_projection_heads") for n in image)
        rest = [n for n, side in sides.items() if side is Modality.TEXT]
        assert not any("visual" in n or n.startswith("image") for n in rest)


def test_a_side_that_does_not_learn_stands_still(build, pixels):
    model = build("test-flat", heads=["proto"]).train()
    model.set_learning(Modality.IMAGE, False)
    model.set_learning(Modality.TEXT, True)
    for name, parameter in model.named_parameters():
        side = model.modality_of(name)
        assert parameter.requires_grad == (side is Modality.TEXT and "logit_scale" not in name), name
    for name, module in model.named_modules():
        if name and name not in {"towers", "towers.clip"}:  # these two hold both sides
            assert module.training == (model.modality_of(name) is Modality.TEXT), name
    norms = {name: buffer.clone() for name, buffer in model.named_buffers() if "visual" in name}
    assert norms
    model(Modality.IMAGE, pixels, ["proto"])
    assert all(torch.equal(buffer, norms[name]) for name, buffer in model.named_buffers() if name in norms)


def test_the_models_own_scale_never_learns(build):
    model = build("test-flat")
    model.set_learning(Modality.TEXT, True)
    assert not model.towers.clip.logit_scale.requires_grad
    model.towers.set_scale(torch.tensor(3.5))
    assert model.towers.clip.logit_scale.item() == 3.5
    assert model.towers.scale is None


def test_a_tower_learns_nothing_through_a_detached_head_which_learns_itself(build, pixels):
    towers = build("test-flat").towers
    spec = HEADS.spec("mlp")(kind="mlp", hidden=5, dim=4, detach=["text"])
    model = DualEncoder(towers, {"proto": spec}).train()
    text = model(Modality.TEXT, towers.tokenizer(["a", "b"]), ["proto"]).heads["proto"]
    image = model(Modality.IMAGE, pixels, ["proto"]).heads["proto"]
    (text.sum() + image.sum()).backward()
    learned = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert any("text_projection_heads.proto" in name for name in learned)
    assert any(model.towers.is_image(name.removeprefix("towers.")) for name in learned if "heads" not in name)
    assert not any("transformer.resblocks" in name and "visual" not in name for name in learned)
