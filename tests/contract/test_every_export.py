"""Every format gives the features of the model it was made of, or says why it cannot and what can."""

import json

import pytest
import torch

from protoclip_cli.cli.export import Format
from protoclip_cli.core.errors import MissingExtra, ProtoclipError
from protoclip_cli.models.builders import BUILDERS
from protoclip_cli.models.builders.open_clip import OpenClipSpec
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.heads import HEADS
from protoclip_cli.models.vocabulary import keep_used_vocabulary
from protoclip_cli.sharing.export import EXPORTS
from protoclip_cli.sharing.same_features import TOLERANCE, compare

TEXT = {"context_length": 20, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1}
VIT = {"image_size": 32, "layers": 2, "width": 64, "patch_size": 16}
RESNET = {"image_size": 32, "layers": [1, 1, 1, 1], "width": 4, "head_width": 64}
TIMM = {"image_size": 32, "timm_model_name": "test_resnet", "timm_pool": "avg", "timm_proj": "linear"}
MODELS = {
    "vit": {"embed_dim": 8, "vision_cfg": VIT, "text_cfg": TEXT},
    "vit_quick": {"embed_dim": 8, "quick_gelu": True, "vision_cfg": VIT, "text_cfg": TEXT},
    "vit_custom": {
        "embed_dim": 8,
        "quick_gelu": True,
        "custom_text": True,
        "vision_cfg": VIT,
        "text_cfg": TEXT,
    },
    "resnet": {
        "embed_dim": 8,
        "quick_gelu": True,
        "vision_cfg": {**RESNET, "width": 8},
        "text_cfg": TEXT,
    },
    "timm": {"embed_dim": 8, "vision_cfg": TIMM, "text_cfg": {**TEXT, "width": 16, "heads": 2}},
    "timm_vit": {
        "embed_dim": 8,
        "vision_cfg": {**TIMM, "image_size": 160, "timm_model_name": "test_vit", "timm_pool": "token"},
        "text_cfg": {**TEXT, "width": 16, "heads": 2},
    },
    "not_causal": {
        "embed_dim": 8,
        "custom_text": True,
        "vision_cfg": {**VIT, "pool_type": "avg", "final_ln_after_pool": True},
        "text_cfg": {**TEXT, "no_causal_mask": True, "pool_type": "last"},
    },
}
HOLDS = {
    "open_clip": set(MODELS),
    "safetensors": set(MODELS),
    "onnx": set(MODELS),
    "hf": {"vit", "vit_quick", "vit_custom"},
    "openai": {"vit_quick", "vit_custom", "resnet"},
    "timm": {"vit", "vit_quick", "vit_custom", "timm", "timm_vit"},
}
TRACED = {"vit_quick": (), "timm": pytest.mark.slow, "not_causal": pytest.mark.slow}
"""What is exported to ONNX here, which takes seconds for each."""


@pytest.fixture(scope="module")
def models():
    """Small models of every sort, with weights far from their start, and a head."""

    def made(name):
        torch.manual_seed(1)
        towers = OpenClipSpec.rebuild({"model_cfg": MODELS[name]})
        model = DualEncoder(towers, {"proto": HEADS.spec("mlp")(kind="mlp", hidden=6, dim=4)})
        keep_used_vocabulary(towers, torch.tensor([0, 320, 1125, 1929, 49406, 49407]))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 0.05 * torch.randn_like(parameter)
            for key, buffer in model.named_buffers():
                if key.endswith("running_mean"):
                    buffer += 0.1
        return model.eval()

    return {name: made(name) for name in MODELS}


def spec(kind):
    return EXPORTS.spec(kind)(kind=kind)


def cases():
    for kind in EXPORTS.kinds():
        for name in MODELS:
            if kind != "onnx" or name in TRACED:
                marks = TRACED[name] if kind == "onnx" else ()
                yield pytest.param(kind, name, marks=marks)


@pytest.mark.parametrize(("kind", "name"), list(cases()))
def test_a_format_holds_a_model_with_its_features_or_says_why_not(kind, name, models, tmp_path):
    try:
        spec(kind).require()
    except MissingExtra as error:
        pytest.skip(str(error))
    model = models[name]
    refusal = spec(kind).refusal(model)
    assert (refusal is None) == (name in HOLDS[kind]), refusal
    if refusal is not None:
        assert refusal.strip()
        assert "\n" not in refusal
        return
    spec(kind).write(model, tmp_path)
    found = compare(model, spec(kind).read(model, tmp_path))
    assert 0 <= found.image <= TOLERANCE
    assert (found.text is None) == (kind == "timm")
    assert str(tmp_path) in spec(kind).usage(str(tmp_path))


@pytest.mark.parametrize("kind", EXPORTS.kinds())
def test_other_weights_are_noticed(kind, models, tmp_path):
    if kind == "onnx":
        pytest.skip("its reader is that of the case above")
    spec(kind).write(models["vit_quick"], tmp_path)
    reader = spec(kind).read(models["vit_quick"], tmp_path)
    other = DualEncoder(OpenClipSpec.rebuild({"model_cfg": MODELS["vit_quick"]}), {}).eval()
    with pytest.raises(ProtoclipError, match="the exported model has other features: images differ by"):
        compare(other, reader)


def test_the_command_knows_every_format():
    assert sorted(Format) == EXPORTS.kinds()


def test_every_builders_small_model_goes_to_open_clip_and_comes_back(tmp_path):
    of_any_library = {"two_towers"}  # its own tests say that only safetensors holds it
    for builder in set(BUILDERS.kinds()) - of_any_library:
        towers = BUILDERS.spec(builder)(kind=builder, name="glyphs-tiny").build()
        model = DualEncoder(towers, {}).eval()
        place = tmp_path / builder
        place.mkdir()
        spec("open_clip").write(model, place)
        again = OpenClipSpec(kind="open_clip", name=f"local-dir:{place}").build()
        compare(DualEncoder(again, {}).eval(), spec("open_clip").read(model, place))
        assert json.loads((place / "open_clip_config.json").read_text())["preprocess_cfg"]["size"] == [32, 32]
