"""Training with classes and teachers: whole, stopped and continued, refused where something is missing."""

import pytest
import yaml

from protoclip_cli.core.errors import Stopped
from protoclip_cli.recipe.load import load_recipe
from protoclip_cli.recipe.train import TrainRecipe
from protoclip_cli.workflows.train import train

PAIRS = {
    "kind": "together",
    "sources": [
        {"kind": "glyphs", "limit": 36, "faces": ["DejaVuSansMono"], "classes": "category"},
        {"kind": "glyphs", "limit": 24, "faces": ["STIXGeneralItalic"]},
    ],
}
OBJECTIVES = {
    "unicl": {"kind": "unicl"},
    "classes": {"kind": "cross_entropy", "head": "classes"},
    "sim": {"kind": "sim_reg", "teacher": "bank", "head": "wide"},
    "mse": {"kind": "mse", "teacher": "bank", "head": "wide", "weight": 0.1},
    "rkd": {"kind": "rkd", "teacher": "bank"},
    "compress": {"kind": "compress", "teacher": "bank", "queue": 24, "queues": 2},
    "between": {"kind": "prototype_relations", "first_episode": 1},
}


@pytest.fixture
def parts():
    """Of a recipe with all of them."""
    mlp = {"kind": "mlp", "hidden": 12}
    return {
        "pairs": PAIRS,
        "objectives": OBJECTIVES,
        "model": {
            "kind": "open_clip",
            "vocabulary": "used",
            "heads": {
                "proto": {**mlp, "dim": 8},
                "classes": {"kind": "mlp", "layers": 0, "dim": 64},
                "wide": {"kind": "mlp", "layers": 0, "dim": 6},
            },
        },
        "teacher": {"kind": "lsa", "dim": 6},
        "prototypes": {"k": 5, "restarts": 1, "iterations": 5},
        "towers": None,
        "evaluate": None,
        "episodes": {"count": 2},
    }


@pytest.fixture
def write(recipe_file, tiny, tmp_path):
    """`write(parts)` writes a recipe and reads it."""

    def written(parts):
        model = parts["model"] | {"name": f"local-dir:{tiny}"}
        return recipe_file(tmp_path / "r.yaml", **(parts | {"model": model}))

    return written


def test_all_of_them_train_and_resume_exactly(write, parts, outcome, signal_after, tmp_path):
    recipe = load_recipe(write(parts), TrainRecipe)
    whole = train(recipe, run=tmp_path / "whole").run
    lines = [yaml.safe_load(line) for line in (whole / "metrics.jsonl").read_text().splitlines()]
    for name in OBJECTIVES:
        assert any(f"{name}/loss" in line for line in lines), name
    assert 0 < lines[0]["unicl/classified"] < 1
    # Unseen pairs have ranks, and no loss where every objective needs more than embeddings.
    metrics = {yaml.safe_load(line)["metric"] for line in (whole / "scores.jsonl").read_text().splitlines()}
    assert "image_to_text_recall@1" in metrics
    assert not any("loss" in metric for metric in metrics)
    with signal_after(7), pytest.raises(Stopped):
        train(recipe, run=tmp_path / "again")
    train(recipe, run=tmp_path / "again", resume=True)
    assert outcome(tmp_path / "again") == outcome(whole)


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_classes_that_are_not_there_are_a_mistake_of_the_recipe(write, parts, call, dry):
    pairs = PAIRS["sources"][1]
    only = {"objectives": {"unicl": {"kind": "unicl"}}, "teacher": None, "prototypes": None, "pairs": pairs}
    done = call("train", write(parts | only), *dry)
    assert done.exit_code == 3
    assert "objectives.unicl reads classes, and the pairs have none" in " ".join(done.stderr.split())
    assert "label_column" in done.stderr


@pytest.mark.parametrize("kind", ["seed", "compress", "sim_reg", "mse"])
def test_a_bank_of_another_width_is_refused_with_the_head_to_add(write, parts, call, kind):
    queue = {"queue": 24} if kind in {"seed", "compress"} else {}
    only = {"objectives": {"it": {"kind": kind, "teacher": "bank"} | queue}, "prototypes": None}
    done = call("train", write(parts | only))
    said = " ".join(done.stderr.split())
    assert done.exit_code == 3, said
    assert f"{kind}: the student's features have 16 columns and the teacher's 6" in said
    assert "head with dim: 6" in said


def test_a_head_of_too_few_classes_is_refused(write, parts, call):
    parts["model"]["heads"]["classes"]["dim"] = 2
    done = call("train", write(parts))
    assert done.exit_code == 3
    assert "set model.heads.classes.dim:" in done.stderr
