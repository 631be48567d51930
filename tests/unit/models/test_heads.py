"""Heads by their settings."""

import pytest
import torch
from torch import nn

from protoclip_cli.models.heads import HEADS


def _built(kind="mlp", width=6, **settings):
    torch.manual_seed(0)
    return HEADS.spec(kind)(kind=kind, **settings).build(width)


def _kinds(head):
    return [type(module).__name__ for module in head]


def test_the_default_is_protoclips_head():
    assert _kinds(_built(hidden=4, dim=3)) == ["Linear", "BatchNorm1d", "ReLU", "Linear"]
    assert list(_built(hidden=4, dim=3).state_dict())[:2] == ["0.weight", "0.bias"]


def test_an_mlp_without_batch_norm_treats_rows_alone():
    head = _built(layers=2, hidden=4, dim=3, batch_norm=False)
    assert _kinds(head) == ["Linear", "ReLU", "Linear", "ReLU", "Linear"]
    rows = torch.randn(5, 6)
    torch.testing.assert_close(head(rows)[:1], head(rows[:1]))


@pytest.mark.parametrize(("final_norm", "learns"), [("affine", True), ("plain", False)])
def test_a_final_norm_gives_columns_of_mean_0_and_variance_1(final_norm, learns):
    head = _built(layers=0, dim=3, final_norm=final_norm)
    out = head(torch.randn(50, 6) * 9 + 4)
    torch.testing.assert_close(out.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.var(0, unbiased=False), torch.ones(3), atol=1e-4, rtol=0)
    assert bool(list(head[-1].parameters())) is learns


def test_no_linear_map_has_a_bias_if_none_is_wanted():
    assert all(
        module.bias is None for module in _built(layers=2, bias=False) if isinstance(module, nn.Linear)
    )


@pytest.mark.parametrize("bias", [False, True])
def test_a_linear_head_keeps_lengths_when_it_starts(bias):
    head = _built("linear", width=400, dim=300, bias=bias)
    assert isinstance(head, nn.Linear)
    assert head.weight.std().item() == pytest.approx(400**-0.5, rel=0.02)
    assert (head.bias is not None) is bias
    rows = torch.randn(64, 400)
    assert (head(rows).std() / rows.std()).item() == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("kind", HEADS.kinds())
def test_it_is_as_wide_as_its_spec_says(kind):
    spec = HEADS.spec(kind)(kind=kind)
    assert spec.build(6)(torch.randn(3, 6)).shape == (3, spec.width)
