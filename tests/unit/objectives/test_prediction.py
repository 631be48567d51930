"""SiamLIP and BYOLIP by hand."""

import pytest
import torch
import torch.nn.functional as F

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.types import Features, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives import OBJECTIVES
from protoclip_cli.objectives._prediction import prediction_loss

both = pytest.mark.parametrize("kind", ["siamlip", "byolip"])


def _spec(kind, **settings):
    return OBJECTIVES.spec(kind)(kind=kind, predictor_hidden=6, **settings)


def _views(count, rows=5, width=4):
    return tuple(Features(torch.randn(rows, width, requires_grad=True)) for _ in range(count))


def _inputs(views=3, rows=5):
    image, text, momentum_image, momentum_text = (_views(views, rows) for _ in range(4))
    return StepInputs(image, text, slice(0, rows), momentum_image=momentum_image, momentum_text=momentum_text)


@pytest.mark.parametrize("views", [0, 1, 3])
def test_the_sums_are_the_mean_over_all_pairs_of_views(views):
    predicted, target = torch.randn(2, 1 + views, 5, 4, dtype=torch.float64)
    pairs = [(0, 0)] + [(a, b) for a in range(1, 1 + views) for b in range(1, 1 + views)]
    distances = [
        (F.normalize(predicted[a], dim=-1) - F.normalize(target[b], dim=-1)).square().sum(-1).mean()
        for a, b in pairs
    ]
    torch.testing.assert_close(prediction_loss(predicted, target), torch.stack(distances).mean())


@both
def test_each_side_predicts_the_other_with_a_predictor_of_its_own(kind):
    objective, inputs = _spec(kind).build(Widths(4), None), _inputs()
    momentum = kind == "byolip"

    def predicted(side, views):
        return torch.stack([objective.predictors[side](view.embedding) for view in views])

    def target(views):
        return torch.stack([view.embedding for view in views]).detach()

    text = target(inputs.momentum_text if momentum else inputs.text)
    image = target(inputs.momentum_image if momentum else inputs.image)
    by_image = prediction_loss(predicted("image", inputs.image), text)
    by_text = prediction_loss(predicted("text", inputs.text), image)
    torch.testing.assert_close(objective(inputs).loss, (by_image + by_text) / 2)
    first, second = (objective.predictors[side][0].weight for side in ("image", "text"))
    assert not torch.equal(first, second)


def test_no_gradient_goes_through_a_target():
    """The loss of images alone: without the texts' predictor, texts learn nothing."""
    objective, inputs = _spec("siamlip").build(Widths(4), None), _inputs()
    objective.predictors["text"].requires_grad_(False)
    torch.nn.init.zeros_(objective.predictors["text"][3].weight)
    objective(inputs).loss.backward()
    assert all(view.embedding.grad.abs().sum() > 0 for view in inputs.image)
    assert all(view.embedding.grad.abs().sum() == 0 for view in inputs.text)


def test_byolip_asks_for_the_momentum_copy_and_gives_it_no_gradient():
    assert _spec("byolip").needs().momentum
    assert not _spec("siamlip").needs().momentum
    inputs = _inputs()
    _spec("byolip").build(Widths(4), None)(inputs).loss.backward()
    assert all(view.embedding.grad is None for view in (*inputs.momentum_image, *inputs.momentum_text))


@both
def test_it_says_the_same_while_it_is_validated(kind):
    objective, inputs = _spec(kind).build(Widths(4), None), _inputs()
    torch.testing.assert_close(objective.eval()(inputs).loss, objective.train()(inputs).loss)


@both
def test_heads_of_other_widths_are_refused(kind):
    widths = Widths(4, {"a": 3, "b": 5})
    with pytest.raises(RecipeError, match=f"{kind}: clean views have 3 columns and augmented views 5"):
        _spec(kind, head="a", augmented_head="b").build(widths, None)
    _spec(kind, head="a", augmented_head="b", augmented_views=0).build(widths, None)


@both
def test_one_row_is_refused(kind):
    objective = _spec(kind).build(Widths(4), None)
    with pytest.raises(RecipeError, match=f"{kind} cannot learn from one row") as caught:
        objective(_inputs(rows=1))
    assert "batch.size" in caught.value.hint
