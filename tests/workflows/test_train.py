"""One real run, and everything it leaves."""

import json
import math
import re

import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file

from protoclip_cli.evaluation.score import read_scores
from protoclip_cli.recipe.evaluate import EvaluateRecipe
from protoclip_cli.recipe.load import load_recipe
from protoclip_cli.recipe.train import TrainRecipe
from protoclip_cli.store.outcomes import outcomes_file, read_outcomes
from protoclip_cli.workflows.evaluate import evaluate
from protoclip_cli.workflows.train import train

QUICK = """\
# A small quickstart.
name: quick [1]
pairs: {kind: glyphs, limit: 512}
views: {image: {kind: eval}}
model: {kind: open_clip, name: glyphs-tiny, vocabulary: used}
validation: {pairs: {kind: glyphs, split: held_out, limit: 64}}
episodes: {count: 2}
objectives: {clip: {kind: info_nce}}
batch: {size: 32}
optimizer: {kind: adamw, lr: 1e-3, max_grad_norm: 1}
schedule: {kind: cosine, warmup: 2}
evaluate: {tasks: {zero_shot: {benchmarks: [glyphs_digits]}, clustering: {benchmarks: [glyphs_digits]}}}
trackers: [tensorboard]
snapshot_code: true
"""


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A run of glyphs-tiny in a directory with some code."""
    torch.set_num_threads(1)
    desk = tmp_path_factory.mktemp("desk")
    (desk / "r.yaml").write_text(QUICK)
    (desk / "mine.py").write_text("print()\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(desk)
        report = train(load_recipe(desk / "r.yaml", TrainRecipe), argv=["protoclip", "train", "r.yaml"])
        return desk / report.run


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_exactly_these_files_are_left(quick):
    assert quick.name == "quick_1"
    files = {str(path.relative_to(quick)) for path in quick.rglob("*") if not path.is_dir()}
    tracked = {name for name in files if name.startswith("tensorboard/")}
    assert len(tracked) == 1
    saved = ("model.safetensors", "model.json", "objectives.safetensors", "optimizer.pt", "state.json")
    outcomes = {name for name in files if name.startswith("outcomes/")}
    assert len(outcomes) == 2  # top-1 and top-5 of one zero-shot benchmark
    assert files - tracked - outcomes == {
        "recipe.yaml",
        "run.json",
        "status.json",
        "metrics.jsonl",
        "timings.jsonl",
        "scores.jsonl",
        "evaluation_metrics_all.csv",
        "logs/rank_0.log",
        "code/mine.py",
        "code/r.yaml",
        *(f"checkpoints/step_{step}/{name}" for step in (16, 32) for name in saved),
    }
    assert (quick / "checkpoints" / "last").readlink().name == "step_32"


def test_it_says_where_it_came_from_and_how_it_ended(quick):
    origin = json.loads((quick / "run.json").read_text())
    assert origin["argv"] == ["protoclip", "train", "r.yaml"]
    assert origin["processes"] == 1
    assert origin["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert origin["pairs"]
    status = json.loads((quick / "status.json").read_text())
    assert status == {
        "state": "finished",
        "phase": "evaluate",
        "exit": 0,
        "episode": 1,
        "step": 32,
        "steps": 32,
    }
    assert load_recipe(quick / "recipe.yaml", TrainRecipe) == load_recipe(
        quick.parents[1] / "r.yaml", TrainRecipe
    )


def test_every_step_has_a_row_and_the_loss_falls_below_chance(quick):
    metrics = rows(quick / "metrics.jsonl")
    assert [row["step"] for row in metrics] == list(range(1, 33))
    assert [row["episode"] for row in metrics] == [0] * 16 + [1] * 16
    keys = {"step", "episode", "lr", "text_lr", "loss", "grad_norm", "image_std", "text_std", "modality_gap"}
    assert all(row.keys() == keys | {f"clip/{x}" for x in ("loss", "accuracy", "scale")} for row in metrics)
    losses = [row["loss"] for row in metrics]
    assert sum(losses[-8:]) / 8 < math.log(32) - 0.1
    assert not re.search(r"second|time", (quick / "metrics.jsonl").read_text())


def test_scores_are_valid_and_of_the_saved_weights(quick):
    scores = read_scores((quick / "scores.jsonl").read_text().splitlines())
    assert {(score.probe, score.step) for score in scores} == {
        ("validation", 16),
        ("validation", 32),
        ("zero_shot", 32),
        ("clustering", 32),
    }
    for step in (16, 32):
        state = json.loads((quick / f"checkpoints/step_{step}/state.json").read_text())
        assert {score.model_hash for score in scores if score.step == step} == {state["model_hash"]}
    validation = {s.metric: s.value for s in scores if s.probe == "validation" and s.step == 32}
    assert {"loss", "clip/loss", "image_to_text_recall@1", "text_to_image_median_rank"} <= validation.keys()
    assert validation["loss"] == validation["clip/loss"] > 0
    identities = [(score.identity, score.step) for score in scores]
    assert len(set(identities)) == len(identities)


def test_what_each_example_contributed_is_kept(quick):
    scores = read_scores((quick / "scores.jsonl").read_text().splitlines())
    kept = {s: read_outcomes(outcomes_file(quick, s.identity)) for s in scores if s.metric == "top1"}
    assert kept
    for score, outcomes in kept.items():
        assert len(outcomes) == score.n
        assert outcomes.mean() == pytest.approx(score.value)


def test_tensorboard_holds_the_loss(quick):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(quick / "tensorboard" / "protoclip")).Reload()
    assert {"loss", "clip/scale", "lr"} <= set(events.Tags()["scalars"])
    assert events.Scalars("loss")[-1].step == 32


def test_the_log_tells_the_story(quick):
    text = (quick / "logs" / "rank_0.log").read_text()
    assert "512 pairs, 2 episodes of 16 steps, batch 32 on 1 x cpu, from the start" in text
    assert "ln(32) = 3.466" in text


def probes():
    return EvaluateRecipe.model_validate({"tasks": {"zero_shot": {"benchmarks": ["glyphs_digits"]}}}).tasks


def values(scores):
    return {(s.metric, s.value, s.model_hash) for s in scores}


def test_a_run_and_its_checkpoints_evaluate_to_what_training_found(quick, monkeypatch):
    in_training = values(
        s for s in read_scores((quick / "scores.jsonl").read_text().splitlines()) if s.probe == "zero_shot"
    )
    before = len(rows(quick / "scores.jsonl"))
    monkeypatch.chdir(quick.parents[1])
    ways = [
        "runs/quick_1",
        "quick_1",
        str(quick),
        "runs/quick_1/checkpoints/last",
        "runs/quick_1/checkpoints/step_32",
    ]
    for way in ways:
        found = evaluate(way, probes())
        assert values(found) == in_training
        assert {(score.step, score.episode) for score in found} == {(32, 1)}
    assert len(rows(quick / "scores.jsonl")) == before + 3 * len(ways)
    earlier = evaluate("runs/quick_1/checkpoints/step_16", probes())
    assert {(score.step, score.episode) for score in earlier} == {(16, 0)}
    table = (quick / "evaluation_metrics_all.csv").read_text()
    assert len(table.splitlines()) == 3


def test_open_clip_loads_the_weights_and_evaluation_agrees(quick, tmp_path, monkeypatch):
    last = quick / "checkpoints" / "last"
    description = json.loads((last / "model.json").read_text())
    folder = tmp_path / "for_open_clip"
    folder.mkdir()
    config = {key: description[key] for key in ("model_cfg", "preprocess_cfg")}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    (folder / "open_clip_model.safetensors").write_bytes((last / "model.safetensors").read_bytes())
    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    saved = load_file(last / "model.safetensors")
    assert all(torch.equal(tensor, saved[name]) for name, tensor in model.state_dict().items())
    learned = load_file(last / "objectives.safetensors")["clip.log_scale"]
    assert saved["logit_scale"] == learned != torch.tensor(1 / 0.07).log()
    monkeypatch.chdir(tmp_path)
    found = evaluate("for_open_clip", probes())
    assert values(found) == values(evaluate(str(quick), probes()))
    assert {(score.step, score.episode) for score in found} == {(None, None)}
    save_file(saved, folder / "open_clip_model.safetensors")


def test_an_objective_joins_and_a_tower_stops(whole):
    metrics = rows(whole / "metrics.jsonl")
    assert ["seed/loss" in row for row in metrics] == [False] * 5 + [True] * 10
    saved = [load_file(whole / f"checkpoints/step_{step}/model.safetensors") for step in (5, 10, 12, 15)]
    image = [name for name in saved[0] if name.startswith("visual")]
    assert any("running_mean" in name for name in image)
    assert not any(
        torch.equal(saved[0][name], saved[1][name]) for name in image if name.endswith("conv1.weight")
    )
    for later in saved[2:]:
        assert all(torch.equal(later[name], saved[1][name]) for name in image)
    text = "transformer.resblocks.0.mlp.c_fc.weight"
    assert not torch.equal(saved[1][text], saved[3][text])
    assert [row["lr"] > 0 for row in metrics] == [True] * 10 + [False] * 5
    queues = [load_file(whole / f"checkpoints/step_{step}/objectives.safetensors") for step in (5, 10)]
    assert queues[0]["seed.queue.position"] == 0
    assert queues[1]["seed.queue.position"] == 5 * 12 % 24


def test_layers_learn_at_their_share_of_the_rate(whole):
    state = torch.load(whole / "checkpoints/step_5/optimizer.pt", weights_only=True)
    groups = state["optimizer"]["param_groups"]
    scales = {side: {g["scale"] for g in groups if g["side"] == side} for side in ("image", "rest")}
    assert scales["image"] == {1.0, *(0.9**above for above in range(1, 6))}
    assert scales["rest"] == {1.0, 0.8, 0.8**2}
    assert all(group["lr"] > 0 for group in groups)


def test_the_same_recipe_is_the_same_run(whole, recipe, outcome, tmp_path):
    assert outcome(train(recipe(), run=tmp_path / "run").run) == outcome(whole)
    other = train(recipe("seed=1", "episodes.count=1"), run=tmp_path / "other").run
    assert outcome(other)[0] != outcome(whole)[0]


def test_accumulation_without_norms_changes_nothing(recipe, tmp_path):
    model = {
        "embed_dim": 16,
        "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 16, "head_width": 8, "patch_size": 8},
    }
    path = tmp_path / "vit.json"
    path.write_text(json.dumps(model))
    whole, parts = (
        rows(
            train(
                recipe(f"model.name={path}", f"batch.accumulate={count}", "episodes.count=1"),
                run=tmp_path / f"run_{count}",
            ).run
            / "metrics.jsonl"
        )
        for count in (1, 3)
    )
    assert [row["step"] for row in parts] == [row["step"] for row in whole]
    for part, want in zip(parts, whole, strict=True):
        assert part == pytest.approx(want, rel=1e-4)
