"""What every objective of the catalog keeps, in each of the settings that `objectives/KIND.yaml` lists."""

import copy
import itertools
from collections import defaultdict
from pathlib import Path

import pytest
import torch
import yaml

from protoclip_cli.core.types import Outcome
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives import OBJECTIVES


def _settings(kind):
    file = Path(__file__).parent / "objectives" / f"{kind}.yaml"
    return yaml.safe_load(file.read_text()) if file.exists() else [{}]


SPECS = [
    OBJECTIVES.spec(kind).model_validate({"kind": kind} | settings)
    for kind in OBJECTIVES.kinds()
    for settings in _settings(kind)
]
WIDTH = 16
WIDTHS = Widths(WIDTH, defaultdict(lambda: 8), WIDTH, WIDTH)


def _name(spec):
    return " ".join(
        [spec.kind, *(f"{k}={v}" for k, v in spec.model_dump(exclude_unset=True).items() if k != "kind")]
    )


pytestmark = pytest.mark.parametrize("spec", SPECS, ids=_name)


def _features(inputs):
    sides = itertools.chain(inputs.image, inputs.text)
    return [rows for features in sides for rows in (features.embedding, *features.heads.values())]


def _said(inputs):
    """The logits of next tokens: unlike features, of the own rows only."""
    return [] if inputs.next_tokens is None else [inputs.next_tokens.logits]


def _equal(first, second):
    torch.testing.assert_close(first, second, rtol=0, atol=0, equal_nan=True)


def test_it_runs_on_what_it_asks_for_and_gives_a_float32_scalar(spec, step_inputs):
    outcome = spec.build(WIDTHS, None)(step_inputs(spec.needs(), width=WIDTH))
    assert isinstance(outcome, Outcome)
    assert outcome.loss.shape == ()
    assert outcome.loss.dtype == torch.float32
    assert outcome.loss.isfinite()
    assert outcome.loss.requires_grad


def test_metrics_are_detached_scalars(spec, step_inputs):
    outcome = spec.build(WIDTHS, None)(step_inputs(spec.needs(), width=WIDTH))
    for name, value in outcome.metrics.items():
        assert isinstance(value, torch.Tensor), name
        assert value.shape == (), name
        assert not value.requires_grad, name


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_it_is_finite_at_the_sharpest_scale_in_any_precision(spec, step_inputs, dtype):
    objective = spec.build(WIDTHS, None)
    if objective.model_scale is not None:
        torch.nn.init.constant_(objective.model_scale, torch.tensor(100.0).log().item())
    inputs = step_inputs(spec.needs(), width=WIDTH, dtype=dtype)
    loss = objective(inputs).loss
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.isfinite()
    leaves = [*_features(inputs), *_said(inputs), *objective.parameters()]
    gradients = [p.grad for p in leaves if p.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_float64_in_gives_float64_out(spec, step_inputs):
    inputs = step_inputs(spec.needs(), width=WIDTH, dtype=torch.float64)
    assert spec.build(WIDTHS, None).double()(inputs).loss.dtype == torch.float64


def test_forward_changes_nothing(spec, step_inputs):
    objective = spec.build(WIDTHS, None)
    inputs = step_inputs(spec.needs(), width=WIDTH)
    before = copy.deepcopy(objective.state_dict())
    chance = torch.get_rng_state()
    first, second = objective(inputs), objective(inputs)
    _equal(first.loss, second.loss)
    _equal(dict(first.metrics), dict(second.metrics))
    _equal(dict(objective.state_dict()), dict(before))
    _equal(torch.get_rng_state(), chance)


def test_the_mean_over_equal_shares_is_the_loss_of_the_whole(spec, step_inputs):
    objective = spec.build(WIDTHS, None).double()

    def learn(slices):
        inputs = [step_inputs(spec.needs(), width=WIDTH, dtype=torch.float64, own=own) for own in slices]
        losses = torch.stack([objective(each).loss for each in inputs])
        objective.zero_grad()
        losses.mean().backward()
        by_row = [[f.grad for f in _features(each) if f.grad is not None] for each in inputs]
        of_rows = [sum(parts) for parts in zip(*by_row, strict=True)]
        of_tokens = [logits.grad for each in inputs for logits in _said(each)]
        of_rows += [torch.cat(of_tokens)] if of_tokens else []
        return losses.mean().detach(), of_rows, [p.grad for p in objective.parameters() if p.grad is not None]

    whole = learn([slice(0, 6)])
    assert whole[1]
    for count in (2, 3):
        torch.testing.assert_close(learn([slice(i, i + 6 // count) for i in range(0, 6, 6 // count)]), whole)


def test_its_state_survives_a_checkpoint(spec, step_inputs):
    inputs = step_inputs(spec.needs(), width=WIDTH)
    first, second = spec.build(WIDTHS, None), spec.build(WIDTHS, torch.tensor(1.0))
    first(inputs)
    with torch.no_grad():
        first.after_step(inputs)
    second.load_state_dict(first.state_dict())
    _equal(first(inputs).loss, second(inputs).loss)
    with torch.no_grad():
        first.after_step(inputs)
        second.after_step(inputs)
    _equal(dict(first.state_dict()), dict(second.state_dict()))


def test_two_builds_are_the_same(spec):
    first = copy.deepcopy(spec.build(WIDTHS, None).state_dict())
    torch.rand(1)  # a process that has drawn something
    torch.manual_seed(5)
    _equal(dict(spec.build(WIDTHS, None).state_dict()), dict(first))


def test_after_a_step_its_state_holds_no_graph(spec, step_inputs):
    objective = spec.build(WIDTHS, None)
    inputs = step_inputs(spec.needs(), width=WIDTH)
    objective(inputs)
    objective.after_step(inputs)
    assert not any(buffer.requires_grad for buffer in objective.buffers())
    assert all(parameter.is_leaf for parameter in objective.parameters())


def test_every_field_is_described(spec):
    fields = type(spec).model_fields
    assert [name for name, field in fields.items() if name != "kind" and not field.description] == []


def test_the_spec_reads_back(spec):
    assert type(spec).model_validate_json(spec.model_dump_json()) == spec
