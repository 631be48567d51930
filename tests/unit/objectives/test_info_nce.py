"""InfoNCE by hand."""

import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from protoclip_cli.core.types import Features, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives.info_nce import InfoNCESpec, info_nce


def _inputs(image, text):
    return StepInputs((Features(image),), (Features(text),), own=slice(0, len(image)))


def test_two_pairs_by_hand():
    """Each direction is -log softmax of (own, other) = (0.8, 0) and (0, 0.6)."""
    image = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    text = torch.tensor([[0.8, 0.6], [0.0, 1.0]], dtype=torch.float64)
    loss, accuracy = info_nce(image, text, torch.tensor(1.0, dtype=torch.float64))
    by_image = [math.log(1 + math.exp(0 - 0.8)), math.log(1 + math.exp(0.6 - 1))]
    by_text = [math.log(1 + math.exp(0.6 - 0.8)), math.log(1 + math.exp(0 - 1))]
    assert loss.item() == pytest.approx((sum(by_image) + sum(by_text)) / 4, rel=1e-12)
    assert accuracy.item() == 1


def test_accuracy_counts_own_images_that_rank_their_text_first():
    image = torch.eye(4)
    text = torch.eye(4)[[0, 1, 3, 2]]
    assert info_nce(image, text, torch.tensor(10.0))[1].item() == 0.5
    assert info_nce(image, text, torch.tensor(10.0), slice(0, 2))[1].item() == 1
    assert info_nce(image, text, torch.tensor(10.0), slice(2, 4))[1].item() == 0


def test_the_length_of_features_does_not_matter():
    objective = InfoNCESpec(kind="info_nce").build(Widths(5), None)
    image, text = torch.randn(2, 6, 5)
    short = objective(_inputs(image, text)).loss
    torch.testing.assert_close(objective(_inputs(image * 7, text / 3)).loss, short)


def test_the_scale_starts_at_what_the_recipe_says_else_the_model_else_0_07():
    def start(temperature, model_scale):
        return (
            InfoNCESpec(kind="info_nce", temperature=temperature)
            .build(Widths(5), model_scale)
            .log_scale.exp()
            .item()
        )

    assert start(0.5, torch.tensor(1.0)) == pytest.approx(2)
    assert start(None, torch.tensor(1.0)) == pytest.approx(math.e)
    assert start(None, None) == pytest.approx(1 / 0.07)


def test_the_scale_learns_beyond_its_bound_and_is_brought_back_after_the_step():
    objective = InfoNCESpec(kind="info_nce", min_temperature=0.05).build(Widths(5), None)
    inputs = _inputs(*torch.randn(2, 6, 5))
    for beyond, bound in ((math.log(1000), math.log(20)), (-3.0, 0.0)):
        torch.nn.init.constant_(objective.log_scale, beyond)
        objective(inputs).loss.backward()
        assert objective.log_scale.grad != 0
        assert objective.log_scale.item() == pytest.approx(beyond)
        objective.after_step(inputs)
        assert objective.log_scale.item() == pytest.approx(bound)
        objective.zero_grad()


class _Largest(TorchDispatchMode):
    """Notes the largest tensor that any operation makes."""

    entries = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor):
            self.entries = max(self.entries, made.numel())
        return made


def test_no_tensor_of_all_by_all_rows_is_made():
    image, text = (torch.randn(64, 4, requires_grad=True) for _ in range(2))
    with _Largest() as largest:
        info_nce(image, text, torch.tensor(1.0), slice(0, 2))[0].backward()
    assert largest.entries == 64 * 4
