import pytest
import torch

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.types import Features, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives import OBJECTIVES
from protoclip_cli.objectives._batch_statistics import off_diagonal


@pytest.mark.parametrize("form", ["paper", "itra"])
@pytest.mark.parametrize("kind", ["vicreg", "barlow_twins"])
def test_a_step_of_one_row_is_refused(kind, form):
    objective = OBJECTIVES.spec(kind)(kind=kind, form=form).build(Widths(4), None)
    side = (Features(torch.randn(1, 4)),)
    with pytest.raises(RecipeError, match=f"{kind} compares the rows of a step, .* has 1") as caught:
        objective(StepInputs(side, side, own=slice(0, 1)))
    assert caught.value.hint == "set batch.size to 2 or more"


@pytest.mark.parametrize("kind", ["dino", "proto_cpc", "vicreg", "barlow_twins"])
def test_sides_of_two_widths_are_refused(kind):
    widths = Widths(4, {}, teacher=3)
    with pytest.raises(RecipeError, match=f"{kind}: the student's features have 4 columns"):
        OBJECTIVES.spec(kind)(kind=kind, teacher="bank").build(widths, None)


def test_what_is_on_the_diagonal_leaves_no_trace_off_it():
    """A difference of two sums would keep their rounding."""
    assert off_diagonal(1e4 * torch.eye(50) + 1e-6 * (1 - torch.eye(50))).item() == pytest.approx(2450e-12)
