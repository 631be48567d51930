"""Cross entropy of class logits by hand."""

import math

import pytest
import torch

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.types import Features, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives.cross_entropy import CrossEntropySpec, class_loss


def test_rows_without_a_class_are_left_out_however_processes_share_them():
    logits = torch.randn(6, 3, dtype=torch.float64)
    labels = torch.tensor([-1, -1, -1, 1, -1, 2])
    expected = torch.nn.functional.cross_entropy(logits[[3, 5]], labels[[3, 5]])
    parts = [class_loss(logits[own], labels, own)[0] for own in (slice(0, 3), slice(3, 6))]
    assert parts[0] == 0  # this process has none
    torch.testing.assert_close(torch.stack(parts).mean(), expected)
    torch.testing.assert_close(class_loss(logits, labels)[0], expected)


def test_no_class_at_all_is_no_loss():
    logits = torch.randn(2, 3, requires_grad=True)
    loss, accuracy = class_loss(logits, torch.tensor([-1, -1]))
    loss.backward()
    assert (loss, accuracy) == (0, 0)
    assert logits.grad.abs().max() == 0


@pytest.mark.parametrize("sides", ["both", "image", "text"])
def test_it_reads_the_sides_it_is_asked_for(sides):
    objective = CrossEntropySpec(kind="cross_entropy", head="classes", sides=sides).build(
        Widths(4, {"classes": 2}, classes=2), None
    )
    views = {
        "image": (Features(torch.zeros(1, 4), {"classes": torch.zeros(1, 2)}),),
        "text": (Features(torch.zeros(1, 4), {"classes": torch.tensor([[0.0, math.log(3)]])}),),
    }
    outcome = objective(StepInputs(**views, own=slice(0, 1), labels=torch.tensor([1])))
    losses = {"image": math.log(2), "text": math.log(4 / 3)}
    losses["both"] = sum(losses.values()) / 2
    assert outcome.loss.item() == pytest.approx(losses[sides])
    assert outcome.metrics["classified"] == 1


def test_a_head_with_too_few_logits_is_refused():
    spec = CrossEntropySpec(kind="cross_entropy", head="classes")
    with pytest.raises(RecipeError, match="'classes' gives 10 logits, and the pairs have 12") as caught:
        spec.build(Widths(4, {"classes": 10}, classes=12), None)
    assert caught.value.hint == "set model.heads.classes.dim: 12"
