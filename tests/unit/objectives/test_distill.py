"""Distill-CLIP by hand."""

import pytest
import torch

from protoclip_cli.core.types import Features, Frozen, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives.distill import DistillSpec
from protoclip_cli.objectives.info_nce import InfoNCESpec


@pytest.fixture
def inputs():
    rows = torch.randn(4, 5, 3)
    frozen = Frozen(rows[2], rows[3], torch.tensor(10.0))
    return StepInputs((Features(rows[0]),), (Features(rows[1]),), slice(1, 3), frozen=frozen)


def test_without_distillation_it_is_info_nce(inputs):
    alone = InfoNCESpec(kind="info_nce").build(Widths(3), None)(inputs)
    outcome = DistillSpec(kind="distill", distill_weight=0).build(Widths(3), None)(inputs)
    torch.testing.assert_close(outcome.loss, alone.loss)
    torch.testing.assert_close(outcome.metrics["accuracy"], alone.metrics["accuracy"])


def test_weights_are_of_its_two_terms(inputs):
    outcome = DistillSpec(kind="distill", contrast_weight=0.25, distill_weight=3).build(Widths(3), None)(
        inputs
    )
    parts = 0.25 * outcome.metrics["contrast"] + 3 * outcome.metrics["distillation"]
    torch.testing.assert_close(outcome.loss, parts)


def test_the_students_temperature_is_learned_and_bounded(inputs):
    objective = DistillSpec(kind="distill", temperature=0.05).build(Widths(3), None)
    assert objective.model_scale.exp().item() == pytest.approx(20)
    objective(inputs).loss.backward()
    assert objective.log_scale.grad != 0
    torch.nn.init.constant_(objective.log_scale, 9.0)
    objective.after_step(inputs)
    assert objective.log_scale.exp().item() == pytest.approx(100)
