"""clip-rocket's methods from recipes: several views, heads of their own, resume, mistakes."""

from pathlib import Path

import pytest

from protoclip_cli.core.errors import Stopped
from protoclip_cli.recipe.load import load_recipe
from protoclip_cli.recipe.train import TrainRecipe
from protoclip_cli.workflows.train import train

HEADS = {
    "clean": {"kind": "linear", "dim": 8, "shared_start": False},
    "augmented": {"kind": "mlp", "layers": 2, "hidden": 12, "dim": 8, "shared_start": False},
    "siam": {"kind": "mlp", "hidden": 12, "dim": 8, "bias": False, "final_norm": "plain"},
    "wide": {"kind": "mlp", "layers": 2, "hidden": 12, "dim": 20, "final_norm": "affine"},
}
IMPROVED = {"kind": "local_contrast", "head": "clean", "augmented_head": "augmented", "reduction": "sum"}
OBJECTIVES = {
    "clip": IMPROVED,
    "siam": {"kind": "siamlip", "head": "siam", "predictor_hidden": 16},
    "barlow": {"kind": "barlip", "head": "wide"},
    "swap": {"kind": "swalip", "augmented_head": "augmented", "weight": 0.2},
    "swap_prototypes": {"kind": "swalip_v1", "head": "siam", "prototypes": 9, "still_steps": 6},
}


@pytest.fixture
def recipe(recipe_file, tmp_path):
    """`recipe(objectives, ...)` writes a short recipe."""

    def written(objectives=OBJECTIVES, **parts):
        path = recipe_file(tmp_path / "r.yaml")
        tree = {"prototypes": None, "teacher": None, "episodes": {"count": 2}, "evaluate": None, **parts}
        model = load_recipe(path, TrainRecipe).resolved()["model"] | {"heads": HEADS}
        return recipe_file(path, objectives=objectives, model=model, **tree)

    return written


def test_stopped_and_continued_is_as_if_never_stopped(recipe, outcome, signal_after, tmp_path):
    recipe = load_recipe(recipe(), TrainRecipe)
    whole = train(recipe, run=tmp_path / "whole").run
    with signal_after(4), pytest.raises(Stopped):
        train(recipe, run=tmp_path / "run")
    train(recipe, run=tmp_path / "run", resume=True)
    metrics = outcome(tmp_path / "run")
    assert metrics == outcome(whole)
    assert all(f'"{name}/loss"'.encode() in metrics[1] for name in OBJECTIVES)


def test_losses_of_several_views_are_not_part_of_validation(recipe, outcome, tmp_path):
    """It looks at one clean view a side; without an objective that reads just that, there is no loss."""
    objectives = {"clip": IMPROVED | {"augmented_head": None, "head": None}}
    run = train(load_recipe(recipe(objectives, episodes={"count": 1}), TrainRecipe), run=tmp_path / "run").run
    metrics = {row["metric"] for row in outcome(run)[2]}
    assert "image_to_text_recall@1" in metrics
    assert not {metric for metric in metrics if "loss" in metric}


@pytest.mark.parametrize(
    ("objectives", "words"),
    [
        (
            {"clip": IMPROVED | {"label_smoothing": 0.1}, "swap": OBJECTIVES["swap"]},
            "objectives.swap already has soft targets and does not go with label smoothing; set "
            "objectives.clip.label_smoothing to 0",
        ),
        ({"swap": OBJECTIVES["swap"] | {"label_smoothing": 0.1}}, "label_smoothing: unknown key"),
        (
            {"clip": IMPROVED | {"augmented_head": "local"}},
            "objectives.clip reads the head 'local', which model.heads does not have",
        ),
        ({"swap": OBJECTIVES["swap"] | {"augmented_views": 1}}, "greater than or equal to 2"),
    ],
)
def test_mistakes_are_told_before_anything_starts(objectives, words, recipe, call):
    done = call("train", recipe(objectives))
    assert done.exit_code == 3
    assert words in " ".join(done.stderr.split())
    assert not Path("runs").exists()


def test_heads_of_other_widths_are_told(recipe, call):
    done = call("train", recipe({"siam": OBJECTIVES["siam"] | {"augmented_head": "wide"}}))
    assert done.exit_code == 3
    assert "siamlip: clean views have 8 columns and augmented views 20" in done.stderr
