"""Towers of two libraries, from a recipe to scores and exports."""

import json

import pytest
import timm
import torch

from protoclip_cli.core.errors import RecipeError, UsageError
from protoclip_cli.models.saved import load_model
from protoclip_cli.recipe.load import load_recipe
from protoclip_cli.recipe.train import TrainRecipe
from protoclip_cli.workflows.export import formats
from protoclip_cli.workflows.train import train


@pytest.fixture
def recipe_of(recipe_file, plain, transformer, tmp_path):
    """`recipe_of(parts of model.image, *overrides)`: a tiny ResNet and a tiny RoBERTa, two steps."""
    bert = transformer(tmp_path / "bert", ["digit one", "latin small letter a"])

    def made(image=(), *overrides):
        model = {
            "image": {"kind": "timm", "name": "test_resnet", "size": 32, **dict(image)},
            "text": {"kind": "huggingface", "name": str(bert), "length": 12},
            "dim": 16,
        }
        towers = {"image": {"frozen": ["*", "!layer4.*", "!image_projection.*"]}}
        limits = {"episodes": {"rows": 24, "count": 1}, "validation": None, "checkpoints": None}
        path = recipe_file(tmp_path / "r.yaml", **plain, **limits, model=model, towers=towers)
        return load_recipe(path, TrainRecipe, overrides)

    return made


def test_a_run_trains_is_read_again_and_evaluated(recipe_of, heard, call, tmp_path):
    torch.manual_seed(3)
    state = timm.create_model("test_resnet", pretrained=False).state_dict()
    torch.save({"state_dict": {f"module.encoder_q.{k}": v for k, v in state.items()}}, tmp_path / "moco.pt")
    listener = heard()
    report = train(
        recipe_of({"pretrained": str(tmp_path / "moco.pt")}), run=tmp_path / "run", reporter=listener
    )
    assert report.step == 2
    assert any("tensors taken below 'state_dict.module.encoder_q.'" in line for line in listener.warnings)
    (tmp_path / "bert" / "config.json").unlink()  # the run has all that it needs
    model = load_model(tmp_path / "run" / "checkpoints" / "last")
    trained = model.towers.image_tower.state_dict()
    assert torch.equal(trained["layer2.0.conv1.weight"], state["layer2.0.conv1.weight"])
    assert torch.equal(trained["layer2.0.bn1.running_mean"], state["layer2.0.bn1.running_mean"])
    assert not torch.equal(trained["layer4.0.conv2.weight"], state["layer4.0.conv2.weight"])
    done = call(
        "evaluate",
        "--ckpt",
        tmp_path / "run",
        "--tasks",
        "zero_shot",
        "--benchmarks",
        "glyphs_digits",
        "--json",
    )
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    rows = found["scores"] if isinstance(found, dict) else found
    again = {row["metric"]: row["value"] for row in rows}
    while_training = {score.metric: score.value for score in report.scores}
    assert again
    assert all(while_training[name] == pytest.approx(value) for name, value in again.items())
    held = [kind for kind, why in formats(str(tmp_path / "run")).items() if why is None]
    assert held == ["safetensors"]
    done = call("export", tmp_path / "run", "--to", "safetensors", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    done = call("export", tmp_path / "run", "--to", "open_clip", "--out", tmp_path / "other")
    assert done.exit_code == UsageError.exit_code
    assert "formats that work: safetensors" in done.stderr


def test_mistakes_are_told_in_the_recipes_words(recipe_of):
    with pytest.raises(
        RecipeError, match="vocabulary: used needs a text tower with open_clip's own token table"
    ):
        recipe_of((), "model.vocabulary=used")
    with pytest.raises(RecipeError, match="names no version"):
        recipe_of((), "model.image={kind: torch_hub, repo: a/b, name: c, trust: true}")
    with pytest.raises(RecipeError, match="unknown key; did you mean 'size'"):
        recipe_of({"sise": 3})


def test_widths_that_do_not_meet_and_patterns_that_fit_nothing_end_a_run_before_it_begins(
    recipe_of, tmp_path
):
    with pytest.raises(RecipeError, match=r"tower widths that do not meet: [0-9]+ of the image tower, 24"):
        train(recipe_of((), "model.dim=null"), run=tmp_path / "a")
    with pytest.raises(RecipeError, match="'nothing' is no parameter of the tower"):
        train(recipe_of((), "towers.text={frozen: [nothing]}"), run=tmp_path / "b")
