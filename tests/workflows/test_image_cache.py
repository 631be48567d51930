"""A run that reads its images from a cache."""

import numpy as np
import pytest
from PIL import Image

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.recipe.load import load_recipe
from protoclip_cli.recipe.train import TrainRecipe
from protoclip_cli.workflows.train import train


@pytest.fixture
def photos(recipe_file, plain, tmp_path):
    """`photos(...)` is a recipe of 24 images, one of which is none, with overrides."""
    lines, chance = ["filepath\ttitle"], np.random.default_rng(0)
    for row in range(24):
        lines.append(f"{row}.png\tcaption {row}")
        Image.fromarray(chance.integers(0, 256, (50 + row, 70, 3), np.uint8)).save(tmp_path / f"{row}.png")
    (tmp_path / "5.png").write_bytes(b"no image")
    (tmp_path / "pairs.tsv").write_text("\n".join(lines) + "\n")
    parts = {"pairs": {"kind": "csv", "path": str(tmp_path / "pairs.tsv")}, "views": None, "validation": None}
    path = recipe_file(tmp_path / "r.yaml", **parts, **plain, evaluate=None)
    return lambda *overrides: load_recipe(path, TrainRecipe, overrides)


def test_it_is_made_once_and_its_bad_images_are_replaced_as_ever(photos, heard, tmp_path):
    events = {}
    for name, overrides in {
        "without": [],
        "first": [f"image_cache.folder={tmp_path / 'cache'}"],
        "second": [f"image_cache.folder={tmp_path / 'cache'}", "batch.workers=1"],
    }.items():
        said = heard()
        train(photos(*overrides, "episodes.count=1"), run=tmp_path / name, reporter=said)
        events[name] = (tmp_path / name / "events.jsonl").read_text()
        assert any("image cache:" in note for note in said.notes) == (name == "first")
        assert any("1 rows: could not be read when" in w for w in said.warnings) == (name != "without")
    assert events["without"].count("bad_image") == 1
    assert events["first"] == events["second"] == events["without"]
    metrics = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("without", "first", "second")]
    assert metrics[1] == metrics[2] != metrics[0]


def test_a_size_that_makes_crops_larger_is_warned_of(photos, heard, tmp_path):
    said = heard()
    recipe = photos(f"image_cache={{folder: {tmp_path / 'cache'}, size: 16}}", "episodes.count=1")
    train(recipe, run=tmp_path / "run", reporter=said)
    assert any("image_cache.size 16: crops are enlarged" in warning for warning in said.warnings)


def test_pairs_in_memory_have_no_cache(recipe, tmp_path):
    with pytest.raises(RecipeError, match="these pairs are in memory"):
        train(recipe("image_cache={}"), run=tmp_path / "run")
