import timm
import torch
import torchvision

from protoclip_cli.models.stages import stages


def starts(module):
    """The first name of each group, cut to two words."""
    return [".".join(group[0].split(".")[:2]) for group in stages(module)]


def test_every_parameter_is_in_one_group_and_depth_is_kept():
    with torch.device("meta"):
        some = [
            torchvision.models.vit_b_32(weights=None),
            torchvision.models.googlenet(weights=None, init_weights=False),
            torchvision.models.vgg11(weights=None),
            timm.create_model("convnext_atto"),
        ]
    for module in some:
        names = [name for group in stages(module) for name in group]
        assert sorted(names) == sorted(name for name, _ in module.named_parameters())


def test_a_residual_network_has_its_stem_and_its_stages():
    with torch.device("meta"):
        module = torchvision.models.resnet18(weights=None)
    module.fc = torch.nn.Identity()
    assert starts(module) == ["conv1.weight", "layer1.0", "layer2.0", "layer3.0", "layer4.0"]
    assert "bn1.weight" in stages(module)[0]


def test_a_transformer_has_its_blocks():
    with torch.device("meta"):
        module = timm.create_model("vit_tiny_patch16_224", num_classes=0, depth=3)
    assert starts(module) == ["cls_token", "blocks.0", "blocks.1", "blocks.2"]
    first, *_, last = stages(module)
    assert {"pos_embed", "patch_embed.proj.weight"} <= set(first)
    assert "norm.weight" in last


def test_blocks_are_found_below_an_encoder_of_their_own():
    from transformers import BertConfig, BertModel

    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 8}
    module = BertModel(BertConfig(vocab_size=9, **sizes))
    assert starts(module) == ["embeddings.word_embeddings", "encoder.layer", "encoder.layer", "pooler.dense"]


def test_a_module_without_parts_is_one_group():
    assert stages(torch.nn.Linear(2, 2)) == [["weight", "bias"]]
    assert stages(torch.nn.Identity()) == []
