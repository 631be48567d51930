"""Improved CLIP by hand."""

import math

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError

from protoclip_cli.core.types import Features, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives.info_nce import info_nce
from protoclip_cli.objectives.local_contrast import LocalContrastSpec, views_contrast


def _spec(**settings):
    return LocalContrastSpec(kind="local_contrast", **settings)


def _inputs(views, rows=5, width=4):
    def side():
        return tuple(
            Features(
                torch.randn(rows, width, requires_grad=True), {"h": torch.randn(rows, 3, requires_grad=True)}
            )
            for _ in range(views)
        )

    return StepInputs(side(), side(), own=slice(0, rows))


def _plain(views, scale, smoothing=0.0):
    """InfoNCE of two lists of views, pair by pair."""
    image, text = ([F.normalize(view, dim=-1) for view in side] for side in views)
    partner = torch.arange(len(image[0]))
    pairs = [scale * i @ t.T for i in image for t in text]
    both = [
        (F.cross_entropy(p, partner, label_smoothing=smoothing)) for pair in pairs for p in (pair, pair.T)
    ]
    return torch.stack(both).mean()


def test_one_row_finds_its_partner():
    one = torch.ones(2, 1, 3)
    assert views_contrast(one, one, torch.tensor(10.0))[0] == 0


@pytest.mark.parametrize("views", [1, 3])
@pytest.mark.parametrize("reduction", ["avg", "sum"])
def test_it_is_the_mean_over_all_pairs_with_smoothing_for_augmented_views_alone(views, reduction):
    settings = {
        "augmented_views": views,
        "augmented_head": "h",
        "label_smoothing": 0.2,
        "reduction": reduction,
    }
    inputs = _inputs(1 + views)
    loss = _spec(temperature=0.5, augmented_temperature=0.25, **settings).build(Widths(4), None)(inputs).loss
    sides = (inputs.image, inputs.text)
    clean = _plain([[side[0].embedding] for side in sides], 2.0)
    augmented = _plain([[view.heads["h"] for view in side[1:]] for side in sides], 4.0, 0.2)
    expected = (clean + views * augmented) / (1 + views)
    torch.testing.assert_close(loss, expected * (2 if reduction == "sum" else 1))


def test_of_more_views_than_it_asks_for_it_reads_the_first():
    inputs, objective = _inputs(4), _spec(augmented_views=1).build(Widths(4), None)
    objective(inputs).loss.backward()
    learned = [view.embedding.grad is not None for view in inputs.image]
    assert learned == [True, True, False, False]


def test_it_asks_for_views_and_for_heads_it_reads():
    def needs(**settings):
        needs = _spec(**settings).needs()
        return needs.image_views, needs.text_views, sorted(needs.heads)

    assert needs() == (3, 3, [])
    assert needs(augmented_views=0, head="a", augmented_head="b") == (1, 1, ["a"])
    assert needs(augmented_views=1, head="a") == (2, 2, ["a"])
    assert needs(head="a", augmented_head="b") == (3, 3, ["a", "b"])
    assert needs(augmented_head="b") == (3, 3, ["b"])


def test_a_shared_head_is_read_of_all_views():
    inputs = _inputs(2)
    _spec(augmented_views=1, head="h").build(Widths(4), None)(inputs).loss.backward()
    assert all(view.heads["h"].grad is not None and view.embedding.grad is None for view in inputs.text)


def test_its_scales_start_as_told_and_stay_in_bounds():
    objective = _spec().build(Widths(4), None)
    assert [p.exp().item() for p in objective.parameters()] == pytest.approx([1 / 0.07, 10])
    assert _spec().build(Widths(4), torch.tensor(3.0)).model_scale.item() == 3
    assert _spec(temperature=0.5).build(Widths(4), torch.tensor(3.0)).model_scale.exp().item() == 2
    for start, end in ((9.0, math.log(100)), (-1.0, 0)):
        for log_scale in objective.parameters():
            torch.nn.init.constant_(log_scale, start)
        objective.after_step(_inputs(3))
        assert [p.item() for p in objective.parameters()] == pytest.approx([end, end])


def test_without_a_temperature_of_their_own_augmented_views_have_the_clean_ones():
    objective = _spec(augmented_temperature=None).build(Widths(4), None)
    assert len(list(objective.parameters())) == 1
    torch.nn.init.constant_(objective.log_scale, 1.0)
    metrics = objective(_inputs(3)).metrics
    assert metrics["augmented_scale"] == metrics["scale"] == torch.tensor(1.0).exp()


def test_without_augmented_views_there_is_no_second_scale():
    objective = _spec(augmented_views=0).build(Widths(4), None)
    assert len(list(objective.parameters())) == 1
    assert set(objective(_inputs(1)).metrics) == {"accuracy", "scale"}


def test_constant_columns_change_what_is_learned_and_not_the_value():
    def learn(**settings):
        torch.manual_seed(1)
        inputs = _inputs(1)
        loss = _spec(augmented_views=0, **settings).build(Widths(4), None)(inputs).loss
        loss.backward()
        return loss.detach(), inputs.image[0].embedding, inputs.text[0].embedding

    (loss, image, text), (same, mine, _) = learn(), learn(column_gradient=False)
    assert same == loss
    assert not torch.allclose(mine.grad, image.grad)
    row = image.detach().clone().requires_grad_()
    logits = F.normalize(row, dim=-1) @ F.normalize(text.detach(), dim=-1).T / 0.07
    (F.cross_entropy(logits, torch.arange(5)) / 2).backward()
    torch.testing.assert_close(mine.grad, row.grad)


def test_smoothing_without_augmented_views_is_a_mistake():
    with pytest.raises(ValidationError, match="label_smoothing is for augmented views"):
        _spec(augmented_views=0, label_smoothing=0.1)


def test_of_one_view_it_is_info_nce():
    image, text = F.normalize(torch.randn(2, 5, 4), dim=-1)
    scale = torch.tensor(5.0)
    found = views_contrast(image[None], text[None], scale)
    torch.testing.assert_close(found, info_nce(image, text, scale))
