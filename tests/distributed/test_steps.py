"""Steps of several processes, whole or in parts, are those of one process on the whole batch."""

from contextlib import nullcontext

import pytest
import torch
from torch import nn

from protoclip_cli.compute.processes import mean_over_processes, rank, world
from protoclip_cli.compute.sync_norm import synchronise_norms
from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Batch, Modality, Outcome, Preprocess
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.heads import HEADS
from protoclip_cli.models.towers import Description, Towers
from protoclip_cli.objectives import Objective, ObjectiveSpec
from protoclip_cli.optimization.groups import group_parameters
from protoclip_cli.optimization.optimizers import OPTIMIZERS
from protoclip_cli.training.followers import MomentumCopy
from protoclip_cli.training.frozen import FrozenModel
from protoclip_cli.training.guidance import Guidance
from protoclip_cli.training.learner import Learner
from protoclip_cli.training.parts import Accumulation
from protoclip_cli.training.phases import phase_of
from protoclip_cli.training.specs import TowerSpec
from protoclip_cli.training.step import Stepper

ROWS, WIDTH = 12, 5


class PlainTowers(Towers):
    """Towers in which rows do not meet."""

    def __init__(self):
        super().__init__()
        self.width, self.preprocess, self.short_texts = WIDTH, Preprocess(4), True
        self.description = Description("none", {})
        self.visual, self.words = nn.Linear(48, WIDTH), nn.Embedding(20, WIDTH)

    def image(self, pixels):
        return self.visual(pixels.flatten(1)).tanh()

    def text(self, tokens):
        return self.words(tokens).mean(1)

    def with_next_tokens(self, pixels, tokens):
        image, words = self.image(pixels), self.words(tokens)
        logits = words[:, :-1] @ self.words.weight.T * image.mean(1)[:, None, None]
        targets = tokens[:, 1:].masked_fill(tokens[:, 1:] % 5 == 0, -100)
        return image, words.mean(1), logits, targets

    def is_image(self, name):
        return name.startswith("visual")

    locked = set_scale = checkpoint_gradients = scale = None


class Everything(Objective):
    """Reads heads, a momentum copy, a frozen model and next tokens."""

    def forward(self, inputs):
        image, text = (side[0].heads["proto"] for side in (inputs.image, inputs.text))
        led = inputs.momentum_image[0].heads["proto"] + inputs.frozen.image
        rows = (image @ (text + led).T)[inputs.own].log_softmax(1)
        own = torch.arange(len(image))[inputs.own]
        tokens = inputs.next_tokens
        said = nn.functional.cross_entropy(
            tokens.logits.flatten(0, 1), tokens.targets.flatten(), reduction="sum"
        )
        return Outcome(-rows[torch.arange(len(own)), own].mean() + said / tokens.count)


class EverythingSpec(ObjectiveSpec):
    """As above."""

    kind: str = "everything"

    def needs(self):
        heads = frozenset({"proto"})
        return Needs(1, 1, heads, momentum=True, frozen=True, token_logits=True)

    def build(self, widths, model_scale):  # noqa: ARG002
        return Everything()


def two_steps(parts, kind):
    """Losses, gradients, weights and statistics of two steps."""
    torch.manual_seed(2)
    spec = EverythingSpec()
    heads = {"proto": HEADS.spec("mlp")(kind="mlp", hidden=7, dim=WIDTH)}
    model = DualEncoder(PlainTowers(), heads)
    synchronise_norms(model)
    learner = Learner(model, {"it": spec.build(None, None)}, {"it": 1.0}).double()
    learner.followers = {"momentum": MomentumCopy(learner.model, 0.9)}
    frozen = FrozenModel(DualEncoder(PlainTowers(), {}).double(), "", print)
    guidance = Guidance(momentum=learner.followers["momentum"], frozen=frozen)
    groups = group_parameters(learner.named_parameters(), frozenset(), "protoclip")
    optimizer = OPTIMIZERS.spec("sgd")(kind="sgd").build(groups)
    stepper = Stepper(
        learner, optimizer, seed=0, accumulation=Accumulation(parts, kind), autocast=nullcontext
    )
    phase = phase_of(0, {"it": spec}, {side: TowerSpec() for side in Modality})
    learner.enter(phase)
    guidance.enter(learner.model)
    share = slice(rank() * ROWS // world(), (rank() + 1) * ROWS // world())
    found = []
    for number in range(2):
        chance = torch.Generator().manual_seed(number)
        image = torch.randint(0, 256, (ROWS, 3, 4, 4), dtype=torch.uint8, generator=chance)[share]
        text = torch.randint(0, 20, (ROWS, 6), generator=chance)[share]
        place = torch.arange(ROWS)[share]
        batch = Batch(place, place, place, (image,), (text,))
        metrics = stepper.step(batch, phase, number, {"image": 1e-1, "rest": 1e-1}, guidance)
        gradients = {name: p.grad.clone() for name, p in learner.named_parameters() if p.grad is not None}
        found.append((mean_over_processes(metrics["loss"]), gradients))
    return found, dict(learner.model.state_dict()), dict(guidance.momentum.model.state_dict())


@pytest.mark.parametrize(("size", "parts"), [(2, 1), (2, 3), (3, 2)])
def test_they_have_the_gradients_and_statistics_of_one_process(on_processes, size, parts):
    want = two_steps(1, "grad_cache")
    assert len(want[0][0][1]) > 5
    for got in on_processes(size, two_steps, parts, "grad_cache"):
        torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-11)


def test_plain_parts_are_contrasted_over_all_processes(on_processes):
    first, second = on_processes(2, two_steps, 3, "plain")
    torch.testing.assert_close(first[1], second[1], rtol=0, atol=0)
    assert not torch.equal(first[0][0][0], two_steps(1, "grad_cache")[0][0][0])
