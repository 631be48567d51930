"""What every adapter of the catalog keeps."""

import copy
import warnings
from functools import cache

import open_clip
import pytest
import torch

from protoclip_cli.core.errors import RecipeError, UsageError
from protoclip_cli.core.types import Modality
from protoclip_cli.models.adapters import ADAPTERS
from protoclip_cli.models.builders.open_clip import OpenClipSpec
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.heads import HEADS
from protoclip_cli.models.saved import load_model, load_weights, save_description, save_weights, weights_of

peft = pytest.importorskip("peft")
KINDS = ADAPTERS.kinds()
pytestmark = pytest.mark.parametrize("kind", KINDS)
TEXT = {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2}
PROMPTS = {"prefix_tuning", "prompt_tuning"}


@cache
def towers(prompted):
    """Towers whose text tower has a place for a prompt, or for other adapters."""
    vision = {"image_size": 16, "layers": 2, "width": 16, "head_width": 8, "patch_size": 8}
    config = {"embed_dim": 8, "custom_text": True, "vision_cfg": vision, "text_cfg": TEXT}
    torch.manual_seed(0)
    made = OpenClipSpec.rebuild({"model_cfg": config})
    if prompted:
        made.clip.text = encoder_of_transformers()
        made.short_texts = False
    return made


def encoder_of_transformers():
    from open_clip.hf_model import HFTextEncoder
    from transformers import RobertaConfig

    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    config = RobertaConfig(
        vocab_size=49408, max_position_embeddings=64, pad_token_id=0, bos_token_id=1, eos_token_id=2, **sizes
    )
    return HFTextEncoder("", 8, config, "mean_pooler", "linear", pretrained=False)


@pytest.fixture
def make():
    """`make(kind, **fields)` makes a model whose text tower has an adapter, and its towers without one."""

    def made(kind, sides=(Modality.TEXT,), **fields):
        plain = copy.deepcopy(towers(kind in PROMPTS))
        spec = ADAPTERS.spec(kind)(kind=kind, **fields)
        heads = {"proto": HEADS.spec("mlp")(kind="mlp", hidden=6, dim=4)}
        model = DualEncoder(copy.deepcopy(plain), heads, dict.fromkeys(sides, spec))
        return model, plain

    return made


def embed(towers):
    texts = towers.tokenizer(["a dog", "two small cats and more", ""])
    pixels = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    return torch.cat([towers.image(pixels), towers.text(texts)])


def learn(model, steps=3):
    """Let everything that may learn take some steps."""
    model.train()
    for side in Modality:
        model.set_learning(side, True)
    learns = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(learns, lr=0.5)
    for _ in range(steps):
        optimizer.zero_grad()
        embed(model.towers)[3:].square().sum().backward()
        optimizer.step()
    model.eval()


def own_weights(model):
    """The towers' own parameters under the names they have without adapters."""
    parts = (".base_layer", ".prompted.base_model")
    found = {}
    for name, parameter in model.towers.named_parameters():
        for part in parts:
            name = name.replace(part, "")
        found[name] = parameter
    return found


def test_it_starts_as_the_tower_it_is_put_into(kind, make):
    model, plain = make(kind)
    if kind in PROMPTS:
        pytest.skip("a prompt is seen by every token from the start")
    torch.testing.assert_close(embed(model.eval().towers), embed(plain.eval()), rtol=0, atol=1e-6)


def test_it_alone_learns_and_the_tower_stays_to_the_last_bit(kind, make):
    model, plain = make(kind)
    before, adapted = embed(model.eval().towers), copy.deepcopy(model.state_dict())
    learn(model)
    after = embed(model.towers)
    assert torch.equal(after[:3], before[:3]), "nothing was asked of the image tower"
    assert not torch.equal(after[3:], before[3:])
    now = own_weights(model)
    for name, parameter in plain.named_parameters():
        if not plain.is_image(name) and "logit" not in name:
            assert torch.equal(now[name], parameter), name
    learned = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, adapted[name])}
    assert any(name.startswith("towers.") for name in learned)
    assert not any("projection_heads" in name for name in learned)


def test_named_parameters_learn_too(kind, make):
    pattern = "proj.weight" if kind in PROMPTS else "ln_final.*"
    model, _ = make(kind, train_also=[pattern])
    for side in Modality:
        model.set_learning(side, True)
    learns = {n for n, p in model.towers.named_parameters() if p.requires_grad and "visual" not in n}
    more = {name for name in learns if name.endswith(pattern.rstrip("*")) or ".ln_final." in name}
    assert more
    fewer, _ = make(kind)
    for side in Modality:
        fewer.set_learning(side, True)
    assert learns - more == {
        n for n, p in fewer.towers.named_parameters() if p.requires_grad and "visual" not in n
    }


def test_a_name_of_no_parameter_is_refused(kind, make):
    with pytest.raises(RecipeError, match=r"adapters.text.train_also: 'nothing' names no parameter"):
        make(kind, train_also=["nothing"])


def test_it_is_saved_and_comes_back_the_same(kind, make, tmp_path):
    model, _ = make(kind)
    learn(model)
    save_weights(model, tmp_path / "model.safetensors")
    save_description(model, tmp_path / "model.json")
    if kind in PROMPTS:  # these towers are no builder's
        again = make(kind)[0].eval()
        load_weights(again, tmp_path / "model.safetensors")
    else:
        again = load_model(tmp_path).eval()
    assert again.adapter_specs == model.adapter_specs
    assert weights_of(again).keys() == weights_of(model).keys()
    assert all(torch.equal(weights_of(again)[name], tensor) for name, tensor in weights_of(model).items())
    torch.testing.assert_close(embed(again.towers), embed(model.towers), rtol=0, atol=1e-6)


def test_merged_it_has_the_features_it_had_and_the_plain_architecture(kind, make):
    model, plain = make(kind)
    learn(model)
    want = embed(model.towers)
    if not ADAPTERS.spec(kind).mergeable:
        with pytest.raises(UsageError, match=f"adapter {kind} cannot be merged"):
            model.merge_adapters()
        return
    assert model.merge_adapters()
    assert not model.merge_adapters()
    assert model.towers.state_dict().keys() == plain.state_dict().keys()
    assert type(model.towers.clip.text) is open_clip.transformer.TextTransformer
    torch.testing.assert_close(embed(model.towers), want, rtol=0, atol=2e-6)


def test_both_towers_may_have_one(kind, make):
    if kind in PROMPTS:
        with pytest.raises(RecipeError, match=f"adapter {kind} needs a tower that is an encoder"):
            make(kind, sides=tuple(Modality))
        return
    model, _ = make(kind, sides=tuple(Modality))
    for side in Modality:
        model.set_learning(side, True)
    embed(model.towers).square().sum().backward()
    learns = [name for name, p in model.towers.named_parameters() if p.requires_grad]
    assert {model.towers.is_image(name) for name in learns} == {True, False}
    assert [name for name in learns if model.towers.get_parameter(name).grad is None] == []


def test_nothing_is_said_aloud(kind, make, capfd, recwarn):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, _ = make(kind)
        learn(model, 1)
    assert capfd.readouterr() == ("", "")
    assert not recwarn


def test_every_field_is_described(kind):
    fields = ADAPTERS.spec(kind).model_fields
    assert [name for name, field in fields.items() if name != "kind" and not field.description] == []
