from contextlib import nullcontext

import pytest
import torch

from protoclip_cli.compute.randomness import key
from protoclip_cli.core.types import Modality
from protoclip_cli.optimization.groups import group_parameters
from protoclip_cli.optimization.optimizers import OPTIMIZERS
from protoclip_cli.training.guidance import Guidance
from protoclip_cli.training.parts import Accumulation
from protoclip_cli.training.phases import phase_of
from protoclip_cli.training.specs import TowerSpec
from protoclip_cli.training.step import Stepper

ALWAYS = {side: TowerSpec() for side in Modality}
STILL, MOVING = {"image": 0.0, "rest": 0.0}, {"image": 1e-2, "rest": 1e-2}


def stepper(learner, accumulate=1, kind="grad_cache", scales=None, **options):
    spec = OPTIMIZERS.spec("adamw")(kind="adamw", weight_decay=0.5)
    image = frozenset(name for name, _ in learner.named_parameters() if "visual" in name)
    groups = group_parameters(learner.named_parameters(), image, "protoclip", scales or {})
    parts = Accumulation(accumulate, kind)
    return Stepper(learner, spec.build(groups), seed=0, accumulation=parts, autocast=nullcontext, **options)


def gradients(learner):
    return {name: p.grad for name, p in learner.named_parameters() if p.grad is not None}


def run(make_learner, terms, batch, accumulate, **options):
    learner = make_learner(terms, **options).double()
    phase = phase_of(0, terms, ALWAYS)
    learner.enter(phase)
    metrics = stepper(learner, accumulate=accumulate).step(batch, phase, 0, STILL, Guidance())
    return learner, metrics


@pytest.mark.parametrize("accumulate", [2, 4, 8])
@pytest.mark.parametrize("heads", [(), ("proto",)])
def test_parts_have_the_gradient_of_the_whole_batch(accumulate, heads, make_learner, make_batch, specs):
    terms = specs(clip={"kind": "info_nce"}, seed={"kind": "seed", "queue": 5, "weight": 0.3})
    whole, want = run(make_learner, terms, make_batch(), 1, norm=False, heads=heads)
    parts, got = run(make_learner, terms, make_batch(), accumulate, norm=False, heads=heads)
    assert gradients(parts).keys() == gradients(whole).keys()
    assert "objectives.clip.log_scale" in gradients(whole)
    assert {"model.towers.visual.0.weight", "model.towers.words.weight"} <= gradients(whole).keys()
    for name, gradient in gradients(whole).items():
        torch.testing.assert_close(gradients(parts)[name], gradient, msg=lambda m, n=name: f"{n}: {m}")
    assert want.keys() == got.keys()
    for name in want:
        torch.testing.assert_close(got[name], want[name])


def test_a_group_learns_at_its_share_of_the_rate_of_its_side(make_learner, make_batch, specs):
    terms = specs(clip={"kind": "info_nce"})
    learner = make_learner(terms)
    phase = phase_of(0, terms, ALWAYS)
    learner.enter(phase)
    taker = stepper(learner, scales={"model.towers.words.weight": 0.25})
    taker.step(make_batch(), phase, 0, {"image": 1.0, "rest": 4.0}, Guidance())
    assert {(g["side"], g["scale"], g["lr"]) for g in taker.optimizer.param_groups} == {
        ("image", 1.0, 1.0),
        ("rest", 1.0, 4.0),
        ("rest", 0.25, 1.0),
    }


def test_norms_count_each_part_once(make_learner, make_batch, specs):
    terms = specs(clip={"kind": "info_nce"})
    learner, _ = run(make_learner, terms, make_batch(), 4)
    want = make_learner(terms).double().train()
    with torch.no_grad():
        for part in make_batch().image[0].chunk(4):
            want.model(Modality.IMAGE, part)
    norm, reference = learner.model.towers.visual[1], want.model.towers.visual[1]
    assert norm.num_batches_tracked == 4
    torch.testing.assert_close(norm.running_mean, reference.running_mean)
    torch.testing.assert_close(norm.running_var, reference.running_var)


def test_both_passes_of_a_part_drop_the_same(make_learner, make_batch, specs):
    terms = specs(clip={"kind": "info_nce"})
    batch = make_batch()
    learner, _ = run(make_learner, terms, batch, 4, norm=False, dropout=0.5)
    want = make_learner(terms, norm=False, dropout=0.5).double()
    phase = phase_of(0, terms, ALWAYS)
    want.enter(phase)
    texts = []
    for part, tokens in enumerate(batch.text[0].chunk(4)):
        torch.manual_seed(key(0, "step", 0, part, 0) >> 1)
        texts.append(want.model(Modality.TEXT, tokens).embedding)
    image = want.model(Modality.IMAGE, batch.image[0])
    encoded = want.encode(batch, phase).with_tensors([image.embedding, torch.cat(texts)], None)
    inputs = want.collect(want.project(encoded, phase), encoded, batch, phase.needs, Guidance())
    want.score(inputs, phase.objectives).loss.backward()
    for name, gradient in gradients(want).items():
        torch.testing.assert_close(gradients(learner)[name], gradient, msg=lambda m, n=name: f"{n}: {m}")


def test_dropout_is_a_function_of_the_step_alone(make_learner, make_batch, specs):
    terms = specs(clip={"kind": "info_nce"})
    phase = phase_of(0, terms, ALWAYS)
    losses = []
    for number in (5, 5, 6):
        torch.rand(losses.__len__() + 1)  # the state of the global generator plays no part
        learner = make_learner(terms, dropout=0.5)
        learner.enter(phase)
        losses.append(stepper(learner).step(make_batch(), phase, number, STILL, Guidance())["loss"].item())
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_tower_that_does_not_learn_keeps_every_bit(accumulate, make_learner, make_batch, specs):
    terms = specs(clip={"kind": "info_nce"})
    learner = make_learner(terms, heads=["proto"])
    one = stepper(learner, accumulate=accumulate)
    towers = {Modality.IMAGE: TowerSpec(last_episode=0), Modality.TEXT: TowerSpec()}
    for episode in (0, 1):  # the optimiser has moments of the image tower when it stops
        phase = phase_of(episode, terms, towers)
        learner.enter(phase)
        before = {name: tensor.clone() for name, tensor in learner.state_dict().items()}
        for number in range(3):
            one.step(make_batch(seed=number), phase, number, MOVING, Guidance())
    image = [name for name in before if "visual" in name or "image_projection" in name]
    assert any("running_mean" in name for name in image)
    after = learner.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in image)
    assert not torch.equal(before["model.towers.words.weight"], after["model.towers.words.weight"])
    still = [p for name, p in learner.named_parameters() if name in image]
    assert all(p.grad is None and not p.requires_grad for p in still)
    assert not learner.model.towers.visual.training
    assert learner.model.towers.rest.training


def test_an_objective_that_is_not_active_keeps_every_bit(make_learner, make_batch, specs):
    terms = specs(clip={"kind": "info_nce"}, late={"kind": "info_nce", "first_episode": 1})
    learner = make_learner(terms)
    one = stepper(learner)
    before = learner.objectives["late"].log_scale.item()
    phase = phase_of(0, terms, ALWAYS)
    learner.enter(phase)
    one.step(make_batch(), phase, 0, MOVING, Guidance())
    assert learner.objectives["late"].log_scale.item() == before
    assert not learner.objectives["late"].training
    phase = phase_of(1, terms, ALWAYS)
    learner.enter(phase)
    one.step(make_batch(), phase, 1, MOVING, Guidance())
    assert learner.objectives["late"].log_scale.item() != before


@pytest.mark.parametrize("accumulate", [1, 4])
def test_state_changes_once_a_step_with_the_whole_batch_and_no_gradients(
    accumulate, make_learner, make_batch, specs, monkeypatch
):
    terms = specs(clip={"kind": "info_nce"}, late={"kind": "info_nce", "first_episode": 1})
    learner = make_learner(terms, norm=False)
    seen = {name: [] for name in terms}
    for name, objective in learner.objectives.items():
        monkeypatch.setattr(objective, "after_step", seen[name].append)
    phase = phase_of(0, terms, ALWAYS)
    learner.enter(phase)
    stepper(learner, accumulate=accumulate).step(make_batch(), phase, 0, MOVING, Guidance())
    assert [len(calls) for calls in seen.values()] == [1, 0]
    inputs = seen["clip"][0]
    assert inputs.image[0].embedding.shape == (8, 6)
    assert not inputs.image[0].embedding.requires_grad
    assert inputs.own == slice(0, 8)


def test_gradients_are_scaled_down_together(make_learner, make_batch, specs):
    terms = specs(clip={"kind": "info_nce"})
    phase = phase_of(0, terms, ALWAYS)
    found = []
    for most in (None, 1e-2):
        learner = make_learner(terms)
        learner.enter(phase)
        metrics = stepper(learner, max_grad_norm=most).step(make_batch(), phase, 0, STILL, Guidance())
        found.append((metrics["grad_norm"], gradients(learner)))
    (norm, free), (same_norm, clipped) = found
    assert norm == same_norm > 1e-2
    total = torch.stack([g.square().sum() for g in clipped.values()]).sum().sqrt()
    torch.testing.assert_close(total.item(), 1e-2, rtol=1e-3, atol=0)
    for name, gradient in free.items():
        torch.testing.assert_close(clipped[name], gradient * 1e-2 / norm, rtol=1e-3, atol=1e-9)


def test_weights_of_the_sum_and_names_of_the_metrics(make_learner, make_batch, specs):
    terms = specs(a={"kind": "info_nce", "weight": 2}, b={"kind": "seed", "queue": 5, "weight": 0.5})
    _, metrics = run(make_learner, terms, make_batch(), 1)
    torch.testing.assert_close(metrics["loss"], 2 * metrics["a/loss"] + 0.5 * metrics["b/loss"])
    names = {"loss", "a/loss", "a/accuracy", "a/scale", "b/loss", "b/agreement", "grad_norm"}
    names |= {"image_std", "text_std", "modality_gap"}
    assert metrics.keys() == names


def test_the_learned_scale_is_lent_to_the_model(make_learner, specs):
    learner = make_learner(specs(b={"kind": "seed", "queue": 5}, a={"kind": "info_nce", "temperature": 0.05}))
    learner.lend_scale()
    assert learner.model.towers.logit_scale.item() == learner.objectives["a"].log_scale.item()
