"""Every objective of the catalog has, part by part, the gradients and metrics of the whole batch."""

from collections import defaultdict
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import yaml

from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Modality, Outcome, Prototypes
from protoclip_cli.core.widths import Widths
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.heads import HEADS
from protoclip_cli.objectives import OBJECTIVES, Objective, ObjectiveSpec
from protoclip_cli.optimization.groups import group_parameters
from protoclip_cli.optimization.optimizers import OPTIMIZERS
from protoclip_cli.training.followers import MomentumCopy
from protoclip_cli.training.frozen import FrozenModel
from protoclip_cli.training.guidance import Guidance
from protoclip_cli.training.learner import Learner
from protoclip_cli.training.parts import Accumulation, split
from protoclip_cli.training.phases import phase_of
from protoclip_cli.training.specs import TowerSpec
from protoclip_cli.training.step import Stepper

SETTINGS = Path(__file__).parents[2] / "contract" / "objectives"
SPECS = {
    f"{kind} {place}": {"kind": kind} | settings
    for kind in OBJECTIVES.kinds()
    for file in [SETTINGS / f"{kind}.yaml"]
    for place, settings in enumerate(yaml.safe_load(file.read_text()) if file.exists() else [{}])
}

ROWS, WIDTH = 8, 6


class Everything(Objective):
    """Reads all there is, and keeps a mean of the momentum copy's features."""

    def __init__(self):
        super().__init__()
        self.log_scale = torch.nn.Parameter(torch.tensor(0.3))
        self.register_buffer("mean", torch.zeros(WIDTH))

    def forward(self, inputs):
        image = torch.stack(
            [rows for view in inputs.image for rows in (view.embedding, *view.heads.values())]
        )
        text = torch.stack([rows for view in inputs.text for rows in (view.embedding, *view.heads.values())])
        led = torch.stack([view.heads["b"] for view in (*inputs.momentum_image, *inputs.momentum_text)]).mean(
            0
        )
        frozen = inputs.frozen.image @ inputs.frozen.text.T * inputs.frozen.scale
        known = (inputs.labels[:, None] == inputs.labels[None]).to(image.dtype)
        logits = self.log_scale.exp() * image.mean(0) @ (text.mean(0) + led - self.mean).T + known + frozen
        tokens = inputs.next_tokens
        if tokens is None:
            return Outcome(logits.log_softmax(1).diagonal().square().mean(), {"sum": logits.detach().sum()})
        said = F.cross_entropy(tokens.logits.flatten(0, 1), tokens.targets.flatten(), reduction="sum")
        return Outcome(logits.log_softmax(1).diagonal().mean() + said / tokens.count)

    def after_step(self, inputs):
        self.mean += inputs.momentum_image[1].heads["a"].mean(0)


class EverythingSpec(ObjectiveSpec):
    kind: str = "everything"
    writes: bool = False

    def needs(self):
        wants = Needs(
            image_views=2, text_views=2, heads=frozenset("ab"), momentum=True, frozen=True, labels=True
        )
        return wants | Needs(token_logits=self.writes)

    def build(self, widths, model_scale):  # noqa: ARG002
        return Everything()


ALL = {name: OBJECTIVES.spec(fields["kind"]).model_validate(fields) for name, fields in SPECS.items()}
ALL |= {"everything": EverythingSpec(), "everything and tokens": EverythingSpec(writes=True)}
TOWERS = {side: TowerSpec() for side in Modality}
WIDTHS = Widths(WIDTH, defaultdict(lambda: WIDTH), WIDTH, WIDTH)
MOVING = {"image": 1e-2, "rest": 1e-2}


class FixedBoard:
    """Prototypes that do not depend on anything but the position."""

    def at(self, names, positions):
        chance = torch.Generator().manual_seed(5)
        rows = torch.randn(3, WIDTH, generator=chance, dtype=torch.float64)
        return dict.fromkeys(names, Prototypes(rows, positions % 3, rows.flip(1)))


class FixedBank:
    dim = WIDTH

    def rows(self, captions):
        chance = torch.Generator().manual_seed(6)
        return torch.randn(ROWS, WIDTH, generator=chance, dtype=torch.float64).numpy()[captions]


def batch_for(needs, make_batch):
    batches = [make_batch(ROWS, seed=view) for view in range(max(needs.image_views, needs.text_views, 1))]
    return replace(
        batches[0],
        image=tuple(batch.image[0] for batch in batches[: needs.image_views]),
        text=tuple(batch.text[0] for batch in batches[: needs.text_views]),
        labels=torch.arange(ROWS) % 3 - 1,
    )


def take_two_steps(spec, make_towers, make_batch, accumulation):
    """Gradients of both steps, their metrics, and the state after them."""
    torch.manual_seed(3)
    needs = spec.needs()
    heads = {
        name: HEADS.spec("mlp")(kind="mlp", hidden=7, dim=WIDTH, of=of)
        for name, of in zip(sorted(needs.heads), ("embedding", "backbone") * 9, strict=False)
    }
    if needs.token_logits:
        heads = {name: head.model_copy(update={"of": "embedding"}) for name, head in heads.items()}
    model = DualEncoder(make_towers(norm=False), heads)
    learner = Learner(model, {"it": spec.build(WIDTHS, None)}, {"it": spec.weight}).double()
    frozen = DualEncoder(make_towers(norm=False), {}).double() if needs.frozen else None
    momentum = MomentumCopy(learner.model, 0.9)
    learner.followers = {"momentum": momentum}
    guidance = Guidance(
        FixedBank(), FixedBoard(), momentum, None if frozen is None else FrozenModel(frozen, "", print)
    )
    groups = group_parameters(learner.named_parameters(), frozenset(), "protoclip")
    optimizer = OPTIMIZERS.spec("sgd")(kind="sgd").build(groups)
    stepper = Stepper(learner, optimizer, seed=0, accumulation=accumulation, autocast=nullcontext)
    phase = phase_of(spec.first_episode, {"it": spec}, TOWERS)
    learner.enter(phase)
    guidance.enter(learner.model)
    results = []
    for number in range(2):
        batch = batch_for(needs, make_batch)
        metrics = stepper.step(batch, phase, number, MOVING, guidance)
        gradients = {name: p.grad.clone() for name, p in learner.named_parameters() if p.grad is not None}
        results.append((metrics, gradients))
    norms = {name: b.clone() for name, b in learner.model.named_buffers()}
    return results, dict(learner.objectives.state_dict()), norms, dict(momentum.model.state_dict())


@pytest.mark.parametrize("name", ALL)
def test_parts_have_the_gradients_and_metrics_of_the_whole_batch(name, make_towers, make_batch):
    spec = ALL[name]
    want = take_two_steps(spec, make_towers, make_batch, Accumulation(1))
    assert want[0][0][1]
    for parts in (2, 4):
        got = take_two_steps(spec, make_towers, make_batch, Accumulation(parts))
        torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-11)


def test_plain_parts_are_batches_of_their_own(make_learner, make_batch, specs):
    """The mean of their losses, each contrasted within itself, and one update of state for each."""
    terms = specs(clip={"kind": "info_nce"}, seed={"kind": "seed", "queue": 8, "head": "proto"})
    batch, learner = make_batch(), make_learner(terms, heads=["proto"]).double()
    phase = phase_of(0, terms, TOWERS)
    learner.enter(phase)
    want = make_learner(terms, heads=["proto"]).double()
    want.enter(phase)
    losses, metrics = [], []
    for number, part in enumerate(split(batch, 4)):
        torch.manual_seed(number)
        encoded = want.encode(part, phase)
        inputs = want.collect(want.project(encoded, phase), encoded, part, phase.needs, Guidance())
        outcome = want.score(inputs, phase.objectives)
        losses.append(outcome.loss)
        metrics.append(outcome.metrics["clip/accuracy"])
    torch.stack(losses).mean().backward()
    groups = group_parameters(learner.named_parameters(), frozenset(), "protoclip")
    optimizer = OPTIMIZERS.spec("sgd")(kind="sgd").build(groups)
    stepper = Stepper(learner, optimizer, seed=0, accumulation=Accumulation(4, "plain"), autocast=nullcontext)
    before = learner.objectives["seed"].queue.rows.clone()
    got = stepper.step(batch, phase, 0, dict.fromkeys(MOVING, 0.0), Guidance())
    torch.testing.assert_close(got["loss"], torch.stack(losses).mean().detach())
    torch.testing.assert_close(got["clip/accuracy"], torch.stack(metrics).mean())
    for name, parameter in want.named_parameters():
        torch.testing.assert_close(dict(learner.named_parameters())[name].grad, parameter.grad, msg=name)
    assert (learner.objectives["seed"].queue.rows != before).any(dim=1).sum() == 8
    assert learner.model.image_projection_heads["proto"][1].num_batches_tracked == 4


def test_heads_see_the_whole_batch_once(make_learner, make_batch, specs):
    terms = specs(seed={"kind": "seed", "queue": 8, "head": "proto", "teacher_head": "proto"})
    found = []
    for accumulation in (Accumulation(), Accumulation(4)):
        learner = make_learner(terms, heads=["proto"], norm=False).double()
        phase = phase_of(0, terms, TOWERS)
        learner.enter(phase)
        groups = group_parameters(learner.named_parameters(), frozenset(), "protoclip")
        optimizer = OPTIMIZERS.spec("sgd")(kind="sgd").build(groups)
        stepper = Stepper(learner, optimizer, seed=0, accumulation=accumulation, autocast=nullcontext)
        stepper.step(make_batch(), phase, 0, MOVING, Guidance())
        norm = learner.model.text_projection_heads["proto"][1]
        assert norm.num_batches_tracked == 1
        found.append(norm.running_var)
    torch.testing.assert_close(*found)


def test_a_tower_that_does_not_learn_sees_each_part_once(make_learner, make_batch, specs, monkeypatch):
    terms = specs(clip={"kind": "info_nce"})
    learner = make_learner(terms)
    seen, tower = [], learner.model._image
    monkeypatch.setattr(learner.model, "_image", lambda pixels: seen.append(len(pixels)) or tower(pixels))
    phase = phase_of(1, terms, {Modality.IMAGE: TowerSpec(last_episode=0), Modality.TEXT: TowerSpec()})
    learner.enter(phase)
    groups = group_parameters(learner.named_parameters(), frozenset(), "protoclip")
    optimizer = OPTIMIZERS.spec("sgd")(kind="sgd").build(groups)
    stepper = Stepper(learner, optimizer, seed=0, accumulation=Accumulation(4), autocast=nullcontext)
    stepper.step(make_batch(), phase, 0, MOVING, Guidance())
    assert seen == [2, 2, 2, 2]
