import json

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from protoclip_cli.core.errors import DataError, RecipeError
from protoclip_cli.core.types import Modality
from protoclip_cli.models.builders import BUILDERS
from protoclip_cli.models.builders._open_clip_towers import _preprocess
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.saved import (
    DESCRIPTION,
    WEIGHTS,
    load_model,
    load_weights,
    save_description,
    save_weights,
    weights_of,
)
from protoclip_cli.models.vocabulary import keep_used_vocabulary

both_classes = pytest.mark.parametrize("name", ["test-flat", "test-custom"])


def spec(**fields):
    return BUILDERS.spec("open_clip")(kind="open_clip", **fields)


def features(model, pixels, captions):
    tokens = model.towers.tokenizer(captions)
    side = model.towers.preprocess.size
    return model(Modality.IMAGE, pixels[..., :side, :side]).embedding, model(Modality.TEXT, tokens).embedding


def save_folder(model, folder):
    """The two files open_clip wants, from ours."""
    folder.mkdir()
    config = {key: model.towers.description.config[key] for key in ("model_cfg", "preprocess_cfg")}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    save_weights(model, folder / "open_clip_model.safetensors")
    return f"local-dir:{folder}"


@pytest.mark.parametrize(
    ("name", "advice"),
    [("glyphs-tyni", "glyphs-tiny"), ("RN05", "RN50"), ("vit-b-32", "ViT-B-32"), ("qqqq", "list_models")],
)
def test_an_unknown_name_gets_the_nearest(name, advice):
    with pytest.raises(RecipeError, match=f"open_clip has no model '{name}'") as caught:
        spec(name=name).build()
    assert advice in caught.value.hint


def test_an_unknown_tag_lists_the_tags():
    with pytest.raises(RecipeError, match=r"model.pretrained 'opnai' is neither a file nor a tag") as caught:
        spec(name="RN50", pretrained="opnai").build()
    assert caught.value.hint == "tags of RN50: openai, yfcc15m, cc12m"
    with pytest.raises(RecipeError) as caught:
        spec(name="glyphs-tiny", pretrained="openai").build()
    assert caught.value.hint == "glyphs-tiny has no published weights"


def test_weights_of_another_architecture_are_refused(build, tmp_path):
    save_file(build("test-custom").towers.clip.state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(
        RecipeError, match=r"could not make test-flat with .*other\.safetensors weights: "
    ) as caught:
        spec(name="test-flat", pretrained=str(tmp_path / "other.safetensors")).build()
    assert "another architecture" in caught.value.hint


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("content", [b"not weights at all", b""])
@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_a_damaged_file_of_weights_is_refused(suffix, content, tmp_path):
    path = tmp_path / f"bad.{suffix}"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=rf"bad\.{suffix} (weights: \S|is damaged)"):
        spec(name="test-flat", pretrained=str(path)).build()


def test_a_file_of_weights_is_loaded_with_its_scale(build, tmp_path, pixels, captions):
    model = build("test-flat")
    model.towers.set_scale(torch.tensor(3.25))
    save_file(model.towers.clip.state_dict(), tmp_path / "w.safetensors")
    again = DualEncoder(spec(name="test-flat", pretrained=str(tmp_path / "w.safetensors")).build(), {}).eval()
    assert again.towers.scale.item() == 3.25
    for a, b in zip(features(model, pixels, captions), features(again, pixels, captions), strict=True):
        assert torch.equal(a, b)


@both_classes
def test_open_clip_itself_loads_what_we_save_and_agrees(name, build, tmp_path, pixels, captions):
    model = build(name)
    keep_used_vocabulary(model.towers, model.towers.tokenizer(captions[:1]).unique())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.01
    local = save_folder(model, tmp_path / "saved")
    theirs, _, preprocess = open_clip.create_model_and_transforms(local)
    theirs.eval()
    side = model.towers.preprocess.size
    ours_image, ours_text = features(model, pixels, captions)
    inputs = model._normalise(pixels[..., :side, :side])
    torch.testing.assert_close(theirs.encode_image(inputs), ours_image, rtol=1e-5, atol=1e-6)
    tokens = open_clip.get_tokenizer(local)(captions)
    torch.testing.assert_close(theirs.encode_text(tokens), ours_text, rtol=1e-5, atol=1e-6)
    assert tuple(preprocess.transforms[-1].mean) == model.towers.preprocess.mean
    again = DualEncoder(spec(name=local).build(), {}).eval()
    assert torch.equal(features(again, pixels, captions)[0], ours_image)


def test_a_folder_without_its_configuration_is_refused(tmp_path):
    with pytest.raises(RecipeError, match=r"has no open_clip_config\.json"):
        spec(name=f"local-dir:{tmp_path}").build()


@both_classes
def test_a_saved_model_comes_back_with_its_heads(name, build, tmp_path, pixels, captions):
    model = build(name, heads=["proto"])
    save_weights(model, tmp_path / WEIGHTS)
    save_description(model, tmp_path / DESCRIPTION)
    again = load_model(tmp_path).eval()
    assert weights_of(again).keys() == weights_of(model).keys()
    assert all(torch.equal(tensor, weights_of(again)[key]) for key, tensor in weights_of(model).items())
    for a, b in zip(features(model, pixels, captions), features(again, pixels, captions), strict=True):
        assert torch.equal(a, b)


def test_names_of_saved_tensors_are_open_clips(build):
    model = build("test-flat")
    assert weights_of(model).keys() == model.towers.clip.state_dict().keys()


def test_weights_of_another_model_are_refused(build, tmp_path):
    save_weights(build("test-custom"), tmp_path / WEIGHTS)
    with pytest.raises(DataError, match=r"is of another model: \d+ tensors missing, \d+ unknown \(\w"):
        load_weights(build("test-flat"), tmp_path / WEIGHTS)
    wide = build("test-flat", heads=["proto"])
    tensors = {key: t.clone() for key, t in weights_of(wide).items()}
    tensors["image_projection_heads.proto.0.weight"] = torch.zeros(9, 9)
    save_file(tensors, tmp_path / WEIGHTS)
    with pytest.raises(DataError, match=r"is of another model: size mismatch for image_proj"):
        load_weights(wide, tmp_path / WEIGHTS)
    (tmp_path / WEIGHTS).write_bytes(b"x" * 100)
    with pytest.raises(DataError, match="cannot read the weights in"):
        load_weights(wide, tmp_path / WEIGHTS)


def test_quick_gelu_is_kept(build, tmp_path):
    model = build("test-flat")
    kinds = {type(module).__name__ for module in model.modules()}
    assert "QuickGELU" in kinds
    assert "GELU" not in kinds
    save_weights(model, tmp_path / WEIGHTS)
    save_description(model, tmp_path / DESCRIPTION)
    assert json.loads((tmp_path / DESCRIPTION).read_text())["model_cfg"]["quick_gelu"] is True
    again = load_model(tmp_path)
    assert "QuickGELU" in {type(module).__name__ for module in again.modules()}
    local = save_folder(model, tmp_path / "saved")
    assert "QuickGELU" in {type(module).__name__ for module in open_clip.create_model(local).modules()}


def test_published_weights_bring_their_activation(monkeypatch):
    made = []

    def create(name, **fields):
        made.append((name, fields["pretrained"], fields["force_quick_gelu"]))
        raise RuntimeError("no network")

    monkeypatch.setattr(open_clip, "create_model", create)
    for tag in ("openai", "laion2b_s34b_b79k"):
        with pytest.raises(RecipeError, match=f"ViT-B-32 with {tag} weights: no network"):
            spec(name="ViT-B-32", pretrained=tag).build()
    assert made == [("ViT-B-32", "openai", True), ("ViT-B-32", "laion2b_s34b_b79k", False)]


@both_classes
def test_short_texts_have_the_features_of_padded_ones(name, build, captions):
    towers = build(name).towers
    assert towers.short_texts
    tokens = towers.tokenizer(captions)
    whole = towers.clip.encode_text(tokens)
    torch.testing.assert_close(towers.text(tokens), whole)
    short = tokens[[0, 1, 3], :5]
    torch.testing.assert_close(towers.text(short), whole[[0, 1, 3]], rtol=1e-5, atol=1e-6)
    assert tokens.shape[1] == towers.clip.context_length


@both_classes
def test_short_texts_have_the_gradients_of_padded_ones(name, build):
    def gradients(width):
        towers = build(name).towers
        towers.text(towers.tokenizer(["a dog", "a big cat"])[:, :width]).square().sum().backward()
        return {key: p.grad for key, p in towers.named_parameters() if p.grad is not None}

    short, whole = gradients(6), gradients(16)
    assert short.keys() == whole.keys()
    assert any("positional_embedding" in key for key in short)
    for key in short:
        close = 1e-4 * whole[key].abs().max().item()
        torch.testing.assert_close(short[key], whole[key], rtol=0, atol=close)


def test_a_tower_in_which_padding_counts_gets_whole_texts(build):
    assert not build("test-pooled").towers.short_texts


def test_images_must_be_square():
    with pytest.raises(RecipeError, match="the model wants images of"):
        _preprocess({"size": (224, 160), "mean": (0, 0, 0), "std": (1, 1, 1)})
