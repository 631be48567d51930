"""Runs with models besides the one that learns: a momentum copy, a frozen model, an average of weights."""

import json
import shutil

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from protoclip_cli.core.catalog import Catalog
from protoclip_cli.core.errors import DataError, RecipeError, Stopped, UsageError
from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Outcome
from protoclip_cli.evaluation.subjects import Wanted, open_subject
from protoclip_cli.models.builders.open_clip import OpenClipSpec
from protoclip_cli.objectives import Objective, ObjectiveSpec
from protoclip_cli.workflows.train import train


class Led(Objective):
    """Goes after the momentum copy and the frozen model, and remembers the mean of what the copy said."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(8))

    def forward(self, inputs):
        led = inputs.momentum_text[0].heads["proto"] - self.mean
        near = F.mse_loss(inputs.image[0].heads["proto"], led)
        return Outcome(near + F.mse_loss(inputs.image[0].embedding, inputs.frozen.image))

    def after_step(self, inputs):
        self.mean.lerp_(inputs.momentum_image[0].heads["proto"].mean(0), 0.1)


class LedSpec(ObjectiveSpec):
    """As `Led`."""

    drops: bool = False
    labels: bool = False
    writes: bool = False

    def needs(self):
        return Needs(
            image_views=1,
            text_views=1,
            heads=frozenset({"proto"}),
            momentum=True,
            frozen=True,
            labels=self.labels,
            token_logits=self.writes,
            dropout=frozenset({"text"} if self.drops else ()),
        )

    def build(self, widths, model_scale):  # noqa: ARG002
        return Led()


@pytest.fixture(autouse=True)
def _led(monkeypatch):
    """The objective above is a kind like others."""
    real = Catalog.spec

    def spec(self, kind, *, here=False):
        return LedSpec if kind == "led" else real(self, kind, here=here)

    monkeypatch.setattr(Catalog, "spec", spec)


@pytest.fixture
def guided(recipe, tiny):
    """`guided("key=value", ...)` is a recipe of ten steps with all three models."""

    def made(*overrides, frozen=f"{{kind: open_clip, name: 'local-dir:{tiny}'}}"):
        return recipe(
            "objectives={clip: {kind: info_nce}, led: {kind: led, weight: 0.5}}",
            *(f"{part}=null" for part in ("prototypes", "teacher", "validation")),
            "momentum={decay: 0.9}",
            *([f"frozen_model={frozen}"] if frozen else []),
            "average={decay: 0.8, start: 2}",
            "episodes.count=2",
            "episodes.rows=36",
            "evaluate.tasks={}",
            *overrides,
        )

    return made


def all_weights(run):
    last = run / "checkpoints" / "last"
    names = ("model", "momentum", "average", "objectives")
    return {name: (last / f"{name}.safetensors").read_bytes() for name in names}


def test_stopped_and_resumed_it_is_the_run_nobody_touched(guided, signal_after, tmp_path):
    whole, run = train(guided(), run=tmp_path / "whole").run, tmp_path / "run"
    with signal_after(4), pytest.raises(Stopped):
        train(guided(), run=run)
    assert len({*all_weights(run).values()}) == 4
    train(guided(), run=run, resume=True)
    assert (run / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    assert all_weights(run) == all_weights(whole)


def test_in_parts_it_learns_too_and_goes_on_exactly(guided, signal_after, tmp_path):
    settings = ("batch.accumulate=3", "batch.accumulation=plain", "episodes.count=1")
    whole, run = train(guided(*settings), run=tmp_path / "whole").run, tmp_path / "run"
    with signal_after(2), pytest.raises(Stopped):
        train(guided(*settings), run=run)
    train(guided(*settings), run=run, resume=True)
    assert (run / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    assert all_weights(run) == all_weights(whole)


def test_a_frozen_model_with_other_weights_is_not_gone_on_with(guided, tiny, signal_after, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "frozen")
    recipe = guided(frozen=f"{{kind: open_clip, name: 'local-dir:{folder}'}}")
    with signal_after(3), pytest.raises(Stopped):
        train(recipe, run=tmp_path / "run")
    state = json.loads((tmp_path / "run" / "checkpoints" / "last" / "state.json").read_text())
    assert len(state["frozen_model_hash"]) == 32
    tensors = load_file(folder / "open_clip_model.safetensors")
    tensors["logit_scale"] += 1
    save_file(tensors, folder / "open_clip_model.safetensors")
    with pytest.raises(DataError, match=r"frozen_model is not the one .*step_3 was trained with"):
        train(recipe, run=tmp_path / "run", resume=True)


def test_scores_of_the_average_are_told_from_those_of_the_last_weights(guided, call, tmp_path):
    scored = ("episodes.count=1", "evaluate.tasks={zero_shot: {benchmarks: [glyphs_digits]}}")
    run = train(guided("evaluate.weights=average", *scored), run=tmp_path / "run").run
    (made,) = {json.loads(line)["model_hash"] for line in (run / "scores.jsonl").read_text().splitlines()}
    hashes = {}
    for weights in ("average", "last"):
        flags = ("--tasks", "zero_shot", "--benchmarks", "glyphs_digits", "--json", "--no-cache")
        done = call("evaluate", "--run", run, "--weights", weights, *flags)
        assert done.exit_code == 0, done.output
        (hashes[weights],) = {row["model_hash"] for row in json.loads(done.stdout)["scores"]}
    assert hashes["average"] == made != hashes["last"]
    state = json.loads((run / "checkpoints" / "last" / "state.json").read_text())
    assert hashes["last"] == state["model_hash"]


def test_a_run_without_an_average_says_so(copied, call):
    done = call("evaluate", "--run", copied, "--weights", "average", "--tasks", "zero_shot")
    assert done.exit_code == 4
    assert "has no average.safetensors" in done.output
    done = call("evaluate", "--model", "RN50", "--weights", "average")
    assert done.exit_code == 2
    assert "RN50 random has no average of weights" in done.output


@pytest.mark.parametrize(
    ("overrides", "frozen", "told"),
    [
        ((), None, "objectives.led reads a frozen model, and the recipe has none; add for example"),
        (("objectives={clip: {kind: info_nce}}",), None, "momentum is given, and no objective reads"),
        (
            ("objectives={clip: {kind: info_nce}}", "momentum=null"),
            "{kind: open_clip, name: RN50, pretrained: openai}",
            "frozen_model is given, and no objective reads it",
        ),
        ((), "{kind: open_clip, name: RN50}", "frozen_model has no weights"),
        (
            (),
            "{kind: open_clip, name: RN50, pretrained: openai, heads: {a: {kind: mlp}}}",
            "frozen_model.heads is given",
        ),
        (("average=null", "evaluate.weights=average"), "same", "evaluate.weights: average needs an average"),
        (
            ("compute.compile=true", "model.heads.proto.of=backbone"),
            "same",
            "compute.compile does not go with",
        ),
        (
            ("objectives.led.writes=true", "model.heads.proto.of=backbone"),
            "same",
            "objectives.led reads logits of tokens, which does not go with model.heads.proto",
        ),
    ],
)
def test_recipes_whose_parts_do_not_fit(overrides, frozen, told, guided):
    with pytest.raises(RecipeError, match=told.replace(".", r"\.")):
        guided(*overrides) if frozen == "same" else guided(*overrides, frozen=frozen)


def test_a_momentum_copy_is_there_when_an_objective_reads_one(guided):
    assert guided("momentum=null").momentum_copy.decay == 0.99
    assert guided().momentum_copy.decay == 0.9


@pytest.mark.parametrize(
    ("override", "told", "hint"),
    [
        ("objectives.led.drops=true", "this text tower drops nothing while it learns", "dropout"),
        ("objectives.led.writes=true", "says nothing of next tokens", "coca"),
        ("objectives.led.labels=true", "reads classes, and the pairs have none", "label_column of a table"),
    ],
)
def test_needs_that_cannot_be_met(override, told, hint, guided, tmp_path):
    with pytest.raises(RecipeError, match=told) as e:
        train(guided(override), run=tmp_path / "run")
    assert hint in e.value.hint


def test_a_frozen_model_that_reads_fewer_tokens_is_refused(guided, tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "frozen")
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["text_cfg"]["context_length"] = 10
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    tensors = load_file(folder / "open_clip_model.safetensors")
    tensors["positional_embedding"] = tensors["positional_embedding"][:10].clone()
    save_file(tensors, folder / "open_clip_model.safetensors")
    with pytest.raises(RecipeError, match="frozen_model reads 10 tokens, and the texts have up to 24") as e:
        train(guided(frozen=f"{{kind: open_clip, name: 'local-dir:{folder}'}}"), run=tmp_path / "run")
    assert "tokenizer" in e.value.hint


def test_a_frozen_model_with_other_tokens_is_refused(guided, monkeypatch, tmp_path):
    build = OpenClipSpec.build

    def other(self):
        towers = build(self)
        if "proto" not in self.heads:
            tokenizer, towers.tokenizer = towers.tokenizer, _Backwards()
            towers.tokenizer.inner = tokenizer
        return towers

    monkeypatch.setattr(OpenClipSpec, "build", other)
    with pytest.raises(RecipeError, match="frozen_model has other tokens than `model`, for example for '"):
        train(guided(), run=tmp_path / "run")


class _Backwards:
    """A tokenizer that reads texts from their end."""

    context_length = 24

    def __call__(self, texts, context_length=None):
        return self.inner([text[::-1] for text in texts], context_length=context_length or 24)


def test_an_average_is_for_checkpoints_of_runs(tiny):
    wanted = Wanted(str(tiny), weights="average")
    with pytest.raises(UsageError, match="has no average of weights"), open_subject(wanted, print):
        pass
