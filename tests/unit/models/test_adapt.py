"""Which towers take which adapters, and what is said of the rest."""

import importlib.util

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from protoclip_cli.core.errors import MissingExtra, RecipeError
from protoclip_cli.core.types import Modality
from protoclip_cli.models.adapt import AdaptersSpec, insert
from protoclip_cli.models.adapters import ADAPTERS, _itra_names
from protoclip_cli.models.adapters.base import is_named

IMAGE, TEXT = Modality.IMAGE, Modality.TEXT


def lora(**fields):
    return ADAPTERS.spec("lora")(kind="lora", **fields)


def test_without_peft_it_says_what_to_type(build, monkeypatch):
    towers = build("test-flat").towers
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)  # noqa: ARG005
    with pytest.raises(MissingExtra) as e:
        insert(towers, TEXT, lora())
    assert e.value.exit_code == 5
    assert e.value.hint == "pip install 'protoclip[adapters]'"


@pytest.mark.parametrize(
    ("name", "nearest"), [(name, near) for name, (near, _) in _itra_names.NEAREST.items()]
)
def test_names_of_itra_are_errors_that_name_the_nearest_kind(name, nearest):
    assert nearest in ADAPTERS.kinds()
    with pytest.raises(ValidationError, match=f"`kind: {nearest}`"):
        AdaptersSpec(text={"kind": name})


def test_a_kind_of_nobody_is_an_error():
    with pytest.raises(ValidationError, match="did you mean 'lora'"):
        AdaptersSpec(text={"kind": "lorra"})


def test_a_residual_network_is_adapted_where_its_convolutions_are_named(build):
    pytest.importorskip("peft")
    with pytest.raises(RecipeError, match="adapter lora: the tower has no Linear or MultiheadAttention") as e:
        insert(build("test-flat").towers, IMAGE, lora())
    assert "name Conv2d in `targets`" in e.value.hint
    towers = build("test-flat").towers
    frozen = insert(towers, IMAGE, lora(targets=["layer4.*.conv2"]))
    learns = {n for n, _ in towers.named_parameters() if towers.is_image(n)} - frozen
    assert learns == {f"clip.visual.layer4.0.conv2.lora_{side}.default.weight" for side in "AB"}


def test_maps_whose_weights_are_only_read_are_no_targets(build):
    with pytest.raises(RecipeError, match=r"lora: .attnpool.q_proj. names no module that it can adapt"):
        insert(build("test-flat").towers, IMAGE, lora(targets=["attnpool.q_proj"]))


def test_attentions_of_torch_take_no_dropout(build):
    pytest.importorskip("peft")
    with pytest.raises(RecipeError, match=r"peft cannot adapt .*lora_dropout"):
        insert(build("test-custom").towers, TEXT, lora(dropout=0.1))
    insert(build("test-custom").towers, TEXT, lora(dropout=0.1, targets=["mlp.c_fc"]))


def test_frozen_weights_of_an_attention_do_not_change_by_being_used(build):
    pytest.importorskip("peft")
    towers = build("test-custom").towers
    weight = towers.clip.text.transformer.resblocks[0].attn.in_proj_weight
    before = weight.detach().clone()
    insert(towers, TEXT, lora())
    attention = towers.clip.text.transformer.resblocks[0].attn
    nn.init.normal_(attention.lora_B["default"].weight)
    for _ in range(3):
        towers.text(towers.tokenizer(["a dog"])).sum().backward()
    assert torch.equal(attention.base_layer.in_proj_weight, before)
    assert attention.base_layer.in_proj_weight is weight


def test_names_end_at_dots():
    assert is_named("a.ln_final.bias", ["ln_final.*"])
    assert not is_named("a.my_ln_final.bias", ["ln_final.*"])


def test_prompts_and_gradient_checkpointing_are_refused_together():
    from protoclip_cli.models.adapters._prompt import Prompted

    with pytest.raises(RecipeError, match="do not go together"):
        Prompted.gradient_checkpointing_enable(None)
