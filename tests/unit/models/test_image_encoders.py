import pytest
import timm
import torch
import torchvision

from protoclip_cli.core.errors import DataError, RecipeError
from protoclip_cli.core.types import Modality
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.image_encoders.timm import TimmSpec
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
    towers = ImageOnlyTowers(spec(name=name, pretrained=tmp_path / "w.pt"))
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
        TorchvisionSpec(name="mobilenet_v3_small", pretrained=tmp_path / "w.pt").build()
    assert "--model" in error.value.hint
