"""A small learner whose towers are ours: norms, dropout and heads can be chosen."""

import pytest
import torch
from torch import nn

from protoclip_cli.core.types import Batch, Preprocess
from protoclip_cli.core.widths import Widths
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.heads import HEADS
from protoclip_cli.models.towers import Description, Towers
from protoclip_cli.objectives import OBJECTIVES
from protoclip_cli.training.learner import Learner

WIDTH = 6
WIDTHS = Widths(WIDTH, {"proto": WIDTH}, WIDTH)


class SmallTowers(Towers):
    def __init__(self, norm=True, dropout=0.0):
        super().__init__()
        self.width, self.preprocess, self.short_texts = WIDTH, Preprocess(8), True
        self.description, self.tokenizer = Description("none", {}), _tokens
        layers = [nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5) if norm else nn.Identity(), nn.ReLU(), nn.Flatten()]
        self.visual = nn.Sequential(*layers, nn.Linear(180, WIDTH))
        self.words = nn.Embedding(20, WIDTH)
        self.rest = nn.Sequential(nn.Dropout(dropout), nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH))
        self.logit_scale = nn.Parameter(torch.tensor(0.0))

    def image(self, pixels):
        return self.visual(pixels)

    def text(self, tokens):
        return self.rest(self.words(tokens).mean(1))

    def image_parts(self, pixels):
        backbone = self.visual[:-1](pixels)
        return backbone, self.visual[-1](backbone)

    def text_parts(self, tokens):
        backbone = self.words(tokens).mean(1)
        return backbone, self.rest(backbone)

    def with_next_tokens(self, pixels, tokens):
        image, words = self.image(pixels), self.words(tokens)
        logits = words[:, :-1] @ self.words.weight.T * image.mean(1)[:, None, None]
        targets = tokens[:, 1:].masked_fill(tokens[:, 1:] % 5 == 0, -100)
        return image, self.text(tokens), logits, targets

    def is_image(self, name):
        return name.startswith("visual")

    def locked(self, modality, unlocked_groups):  # noqa: ARG002
        sides = {"image": "visual.", "text": ("words.", "rest.")}
        return frozenset(n for n, _ in self.named_parameters() if n.startswith(sides[modality.value]))

    @property
    def scale(self):
        return None

    def set_scale(self, log_scale):
        self.logit_scale.data.copy_(log_scale)

    def checkpoint_gradients(self):
        raise NotImplementedError


def _tokens(texts, context_length=5):
    return torch.tensor([[len(text) + place for place in range(context_length)] for text in texts]) % 20


_tokens.context_length = 5


@pytest.fixture
def make_towers():
    """`make_towers(norm=..., dropout=...)`: towers alone."""
    return SmallTowers


def make_specs(**terms):
    return {name: OBJECTIVES.spec(fields["kind"]).model_validate(fields) for name, fields in terms.items()}


@pytest.fixture
def specs():
    """`specs(name={kind: ...})` makes objective specs."""
    return make_specs


@pytest.fixture
def make_learner():
    """`make_learner(specs, ...)` is the same learner every time."""

    def made(specs=None, *, norm=True, dropout=0.0, heads=()):
        torch.manual_seed(3)
        specs = specs or make_specs(clip={"kind": "info_nce"})
        mlp = {name: HEADS.spec("mlp")(kind="mlp", hidden=7, dim=WIDTH) for name in heads}
        model = DualEncoder(SmallTowers(norm, dropout), mlp)
        objectives = {name: spec.build(WIDTHS, None) for name, spec in specs.items()}
        return Learner(model, objectives, {name: spec.weight for name, spec in specs.items()})

    return made


@pytest.fixture
def make_batch():
    def made(rows=8, seed=0):
        chance = torch.Generator().manual_seed(seed)
        image = torch.randint(0, 256, (rows, 3, 8, 8), dtype=torch.uint8, generator=chance)
        text = torch.randint(0, 20, (rows, 5), generator=chance)
        place = torch.arange(rows)
        return Batch(place, place, place, (image,), (text,))

    return made
