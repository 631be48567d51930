"""Files as self-supervised training writes them, made here of small networks."""

from argparse import Namespace

import pytest
import timm
import torch
import torchvision

from protoclip_cli.core.errors import DataError
from protoclip_cli.models.backbone_file import load_backbone


def resnet(seed=0):
    torch.manual_seed(seed)
    module = torchvision.models.resnet._resnet(
        torchvision.models.resnet.BasicBlock, [1, 1, 1, 1], None, False
    )
    module.fc = torch.nn.Identity()
    return module


def below(prefix, module):
    return {f"{prefix}{name}": tensor for name, tensor in module.state_dict().items()}


def head(prefix):
    return {f"{prefix}0.weight": torch.zeros(3, 512), f"{prefix}0.bias": torch.zeros(3)}


THEIRS, OTHER = resnet(1), resnet(2)
FILES = {
    "moco": (
        {
            "epoch": 3,
            "arch": "resnet18",
            "state_dict": below("module.encoder_k.", OTHER)
            | below("module.encoder_q.", THEIRS)
            | head("module.encoder_q.fc.")
            | {"module.queue": torch.zeros(4, 4)},
            "optimizer": {"state": {0: {"momentum_buffer": torch.zeros(2)}}},
        },
        "state_dict.module.encoder_q.",
    ),
    "simclr": ({"state_dict": below("backbone.", THEIRS) | head("backbone.fc.")}, "state_dict.backbone."),
    "swav": (below("module.", THEIRS) | head("module.projection_head."), "module."),
    "seed": (
        {"state_dict": below("module.student.", THEIRS) | head("module.student.fc.")},
        "state_dict.module.student.",
    ),
    "dino": (
        {
            "student": below("module.backbone.", OTHER) | head("module.head.mlp."),
            "teacher": below("backbone.", THEIRS) | head("head.mlp."),
            "args": Namespace(arch="resnet18"),
            "epoch": 9,
        },
        "teacher.backbone.",
    ),
    "vicreg": (
        {"model": below("module.backbone.", THEIRS) | head("module.projector.")},
        "model.module.backbone.",
    ),
    "barlow_twins": (dict(THEIRS.state_dict()), ""),
}


@pytest.mark.parametrize("method", FILES)
def test_weights_are_found_wherever_a_method_puts_them(method, tmp_path):
    content, prefix = FILES[method]
    torch.save(content, tmp_path / "w.pth")
    module = resnet()
    fit = load_backbone(module, tmp_path / "w.pth")
    assert fit.prefix == prefix
    assert fit.from_chance == ()
    for name, tensor in THEIRS.state_dict().items():
        assert torch.equal(module.state_dict()[name], tensor), name
    words = fit.words(tmp_path / "w.pth")
    assert f"{len(THEIRS.state_dict())} tensors taken" in words
    assert words.endswith("started from chance: nothing")
    if method == "moco":
        left = "state_dict.module"
        assert f"left out: {left}.encoder_k (72), {left}.encoder_q (2), {left}.queue (1);" in words
        assert not any("optimizer" in name for name in fit.left_out)
    assert (fit.left_out == ()) == (method == "barlow_twins")


def test_vision_transformers_of_dino_are_those_of_timm(tmp_path):
    torch.manual_seed(3)
    theirs = timm.create_model("vit_tiny_patch16_224", num_classes=0, depth=1, img_size=32)
    torch.save({"teacher": below("backbone.", theirs) | head("head.")}, tmp_path / "w.pth")
    module = timm.create_model("vit_tiny_patch16_224", num_classes=0, depth=1, img_size=32)
    load_backbone(module, tmp_path / "w.pth")
    assert torch.equal(module.blocks[0].attn.qkv.weight, theirs.blocks[0].attn.qkv.weight)


def test_what_a_file_lacks_starts_from_chance_and_is_named(tmp_path):
    state = THEIRS.state_dict()
    del state["layer4.0.conv2.weight"], state["bn1.num_batches_tracked"]
    torch.save(state, tmp_path / "w.pth")
    module = resnet()
    before = module.layer4[0].conv2.weight.clone()
    fit = load_backbone(module, tmp_path / "w.pth")
    assert fit.from_chance == ("layer4.0.conv2.weight",), "a counter is nothing that is learned"
    assert torch.equal(module.layer4[0].conv2.weight, before)
    assert fit.words(tmp_path / "w.pth").endswith("started from chance: layer4.0.conv2.weight")


def test_a_file_that_matches_nothing_names_what_is_there(tmp_path):
    state = {f"module.net.{n}.{k}": torch.zeros(2) for n in range(3) for k in ("w", "b")}
    torch.save({"state_dict": state | {"bn1.weight": torch.zeros(64)}}, tmp_path / "w.pth")
    with pytest.raises(DataError, match=r"does not fit: \d+ of \d+ tensors are missing") as error:
        load_backbone(resnet(), tmp_path / "w.pth")
    assert "state_dict.module (6), state_dict.bn1 (1)" in str(error.value)
    assert "layer1 (" in str(error.value)


def test_a_wider_networks_file_is_refused(tmp_path):
    wide = {
        name: torch.cat([t, t]) if name == "conv1.weight" else t for name, t in THEIRS.state_dict().items()
    }
    torch.save(wide, tmp_path / "w.pth")
    with pytest.raises(
        DataError, match=r"conv1.weight is \(128, 3, 7, 7\) there, and \(64, 3, 7, 7\)"
    ) as error:
        load_backbone(resnet(), tmp_path / "w.pth")
    assert "resnet50w2" in error.value.hint


def test_code_in_a_file_is_not_run(tmp_path):
    torch.save({"model": THEIRS, "state_dict": THEIRS.state_dict()}, tmp_path / "w.pth")
    with pytest.raises(DataError, match="holds more than weights"):
        load_backbone(resnet(), tmp_path / "w.pth")
