import pytest
import timm
import torch
import torchvision

from protoclip_cli.core.errors import DataError, RecipeError
from protoclip_cli.core.types import Modality
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.image_encoders.huggingface import HuggingFaceImageSpec
from protoclip_cli.models.image_encoders.open_clip import OpenClipImageSpec
from protoclip_cli.models.image_encoders.timm import TimmSpec
from protoclip_cli.models.image_encoders.torch_hub import TRUSTED, TorchHubSpec
from protoclip_cli.models.image_encoders.torchvision import TorchvisionSpec
from protoclip_cli.models.image_only import ImageOnlyTowers

NAMES = [
    (TorchvisionSpec, "mobilenet_v3_small", 1024),
    (TorchvisionSpec, "resnet18", 512),
    (TimmSpec, "resnet10t", 512),
]


def whole(spec, name):
    torch.manual_seed(1)
    if spec is TimmSpec:
        return timm.create_model(name, pretrained=False)
    return torchvision.models.get_model(name, weights=None)


@pytest.mark.parametrize(("spec", "name", "width"), NAMES)
def test_an_encoder_gives_what_its_library_gives_before_the_classifier(spec, name, width, tmp_path):
    model = whole(spec, name).eval()
    torch.save({"state_dict": {f"module.{k}": v for k, v in model.state_dict().items()}}, tmp_path / "w.pt")
    towers = ImageOnlyTowers(spec(name=name, pretrained=str(tmp_path / "w.pt")))
    assert towers.width == width
    images = torch.rand(2, 3, 64, 64)
    if spec is TimmSpec:
        expected = model.forward_head(model.forward_features(images), pre_logits=True)
    else:
        seen = []
        classifier = model.fc if hasattr(model, "fc") else model.classifier[-1]
        classifier.register_forward_hook(lambda _m, given, _o: seen.append(given[0]))
        model(images)
        expected = seen[0]
    with torch.no_grad():
        torch.testing.assert_close(towers.eval().image(images), expected.detach())
        torch.testing.assert_close(towers.backbone(images), expected.detach())


def test_an_encoder_that_classifies_by_convolution_ends_before_that():
    assert ImageOnlyTowers(TorchvisionSpec(name="squeezenet1_1")).width == 512


def test_texts_are_refused_in_words():
    towers = ImageOnlyTowers(TorchvisionSpec(name="mobilenet_v3_small"))
    with pytest.raises(DataError, match="torchvision:mobilenet_v3_small has no text tower"):
        towers.tokenizer(["a"])
    with pytest.raises(DataError, match="no text tower"):
        DualEncoder(towers, {})(Modality.TEXT, torch.zeros(1, 4, dtype=torch.long))


@pytest.mark.parametrize("spec", [TimmSpec, TorchvisionSpec])
def test_an_unknown_name_suggests_the_nearest(spec):
    with pytest.raises(RecipeError) as error:
        spec(name="resnet81").build()
    assert "resnet18" in error.value.hint


def test_weights_of_another_encoder_are_refused(tmp_path):
    torch.save(whole(TimmSpec, "resnet10t").state_dict(), tmp_path / "w.pt")
    with pytest.raises(DataError, match=r"does not fit: \d+ of \d+ tensors are missing") as error:
        TorchvisionSpec(name="mobilenet_v3_small", pretrained=str(tmp_path / "w.pt")).build()
    assert "--model" in error.value.hint


@pytest.mark.parametrize("name", ["inception_v3", "googlenet"])
def test_an_encoder_with_a_second_classifier_has_none_of_it(name, monkeypatch):
    monkeypatch.setattr(torch.nn.init, "trunc_normal_", lambda tensor, **_: tensor)  # which takes seconds
    encoder = TorchvisionSpec(name=name).bare()
    assert encoder.preprocess.size == (299 if name == "inception_v3" else 224)
    assert encoder.preprocess.mean == (0.5, 0.5, 0.5), (
        "as its weights were trained, without a transform inside"
    )
    assert not any("aux" in part.lower() for part, _ in encoder.module.named_parameters())
    side = encoder.preprocess.size
    feature = encoder.module.train()(torch.rand(2, 3, side, side))
    assert feature.shape == (2, 2048 if name == "inception_v3" else 1024)


def test_a_wide_resnet_is_wide_from_its_stem_on():
    with torch.device("meta"):
        encoder = TorchvisionSpec(name="resnet50w2").bare()
    state = {name: tuple(tensor.shape) for name, tensor in encoder.module.state_dict().items()}
    assert state["conv1.weight"] == (128, 3, 7, 7)
    assert state["layer1.0.conv1.weight"] == (128, 128, 1, 1)
    assert state["layer4.2.conv3.weight"] == (4096, 1024, 1, 1)
    plain = torchvision.models.resnet50(weights=None).state_dict().keys()
    assert state.keys() == {name for name in plain if not name.startswith("fc.")}


def test_a_size_is_a_wish():
    assert TorchvisionSpec(name="resnet18", size=32).bare().preprocess.size == 32
    small = TimmSpec(name="test_vit", size=64).bare()
    assert small.preprocess.size == 64
    assert small.measure() == 64
    with pytest.raises(RecipeError, match="does not take images of 5 pixels") as error:
        TorchvisionSpec(name="vgg11", size=5).bare().measure()
    assert "size" in error.value.hint


def test_weights_that_are_neither_a_file_nor_a_tag_name_the_tags():
    with pytest.raises(RecipeError, match="neither a file nor a tag of resnet18") as error:
        TorchvisionSpec(name="resnet18", pretrained="imagenet").build()
    assert "IMAGENET1K_V1" in error.value.hint
    with pytest.raises(RecipeError, match="neither a file nor a tag of resnet10t") as error:
        TimmSpec(name="resnet10t", pretrained="nobody").build()
    assert "c3_in1k" in error.value.hint


def test_weights_that_lack_some_tensors_are_not_judged(tmp_path):
    state = whole(TimmSpec, "resnet10t").state_dict()
    del state["layer4.0.conv1.weight"]
    torch.save(state, tmp_path / "w.pt")
    spec = TimmSpec(name="resnet10t", pretrained=str(tmp_path / "w.pt"))
    assert spec.build().from_chance == ("layer4.0.conv1.weight",)
    with pytest.raises(DataError, match=r"1 tensors are missing \(layer4.0.conv1.weight"):
        ImageOnlyTowers(spec)


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    """A small vision transformer of transformers, in a folder."""
    from transformers import ViTConfig, ViTImageProcessor, ViTModel

    folder = tmp_path_factory.mktemp("vit")
    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 8}
    torch.manual_seed(0)
    ViTModel(ViTConfig(**sizes, image_size=16, patch_size=8)).save_pretrained(folder)
    processor = ViTImageProcessor(size={"height": 16, "width": 16}, image_mean=[0.4] * 3, image_std=[0.3] * 3)
    processor.save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("pooling", ["cls", "mean", "pooler"])
def test_a_vision_encoder_of_transformers_is_pooled(vit, pooling):
    from transformers import ViTModel

    encoder = HuggingFaceImageSpec(name=vit, pooling=pooling).build()
    assert encoder.notes == ()
    preprocess = encoder.preprocess
    assert (preprocess.size, preprocess.mean, preprocess.resize_mode) == (16, (0.4, 0.4, 0.4), "squash")
    images = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        found = ViTModel.from_pretrained(vit).eval()(images)
        of = {
            "cls": found.last_hidden_state[:, 0],
            "mean": found.last_hidden_state.mean(dim=1),
            "pooler": found.pooler_output,
        }
        torch.testing.assert_close(encoder.module.eval()(images), of[pooling])


def test_a_vision_encoder_can_start_from_chance_and_at_another_size(vit):
    torch.manual_seed(1)
    spec = HuggingFaceImageSpec(name=vit, architecture_only=True, size=32)
    encoder = spec.build()
    assert spec.from_chance
    assert encoder.measure() == 8
    weights = HuggingFaceImageSpec(name=vit).build().module.state_dict()
    key = "model.layers.0.mlp.fc1.weight"
    assert not torch.equal(encoder.module.state_dict()[key], weights[key])
    with pytest.raises(ValueError, match="brings weights, and pretrained names others"):
        HuggingFaceImageSpec(name=vit, pretrained="x.pt")


def test_a_model_that_is_not_there_says_what_to_give(tmp_path):
    with pytest.raises(RecipeError, match="cannot be loaded") as error:
        HuggingFaceImageSpec(name=str(tmp_path)).build()
    assert "folder" in error.value.hint


def test_the_visual_tower_of_open_clip_is_an_encoder(build, pixels):
    model = build("test-flat")
    torch.manual_seed(0)
    encoder = OpenClipImageSpec(name="test-flat").build()
    assert encoder.measure() == 8
    images = pixels.float() / 255
    with torch.no_grad():
        torch.testing.assert_close(encoder.module.eval()(images), model.towers.image(images))


HUB = """
import torch


def small(pretrained=False, width=4):
    torch.manual_seed(int(pretrained))
    parts = [torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten(), torch.nn.Linear(12, width)]
    return torch.nn.Sequential(*parts, torch.nn.Linear(width, 3))


def words():
    return "a"
"""


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "hubconf.py").write_text(HUB)
    return str(tmp_path / "hub")


def hub(repo, name="small", **fields):
    fields = {"source": "local", "trust": True, **fields}
    return TorchHubSpec(kind="torch_hub", repo=repo, name=name, **fields)


def test_code_of_a_repository_is_run_where_the_user_says_so(repository, monkeypatch):
    encoder = hub(repository, options={"pretrained": True, "width": 6}, remove="3", size=8).build()
    assert encoder.measure() == 6
    with pytest.raises(RecipeError, match=r"code of .*, which would be run") as error:
        TorchHubSpec.rebuild(encoder.described, encoder.preprocess)
    assert TRUSTED in error.value.hint
    monkeypatch.setenv(TRUSTED, f"else,{repository}")
    again = TorchHubSpec.rebuild(encoder.described, encoder.preprocess)
    assert again.module[2].weight.shape == (6, 12)
    assert not torch.equal(again.module[2].weight, encoder.module[2].weight), "no weights were fetched"


def test_code_without_a_version_or_without_trust_is_never_run(repository):
    with pytest.raises(ValueError, match="set trust: true"):
        hub(repository, trust=False)
    with pytest.raises(ValueError, match=r"names no version.*owner/name:ref"):
        hub("facebookresearch/dino", source="github")
    assert hub("facebookresearch/dino:main", source="github").repo.endswith(":main")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"remove": "fc"}, "has no module 'fc'"),
        ({"name": "words"}, "makes a str and no network"),
        ({"name": "none"}, "could not make none"),
    ],
)
def test_a_repository_without_such_a_network_is_told(repository, fields, says):
    with pytest.raises(RecipeError, match=says):
        hub(repository, **fields).build()
