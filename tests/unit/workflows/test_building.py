"""What a recipe's towers must have for its objectives."""

import pytest
from torch import nn

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.models.builders import BUILDERS
from protoclip_cli.recipe.train import TrainRecipe
from protoclip_cli.workflows.building import build_learner


@pytest.fixture(scope="module")
def towers():
    return BUILDERS.spec("open_clip")(kind="open_clip", name="glyphs-tiny").build()


def _recipe(**objectives):
    return TrainRecipe.model_validate(
        {
            "name": "x",
            "pairs": {"kind": "glyphs"},
            "model": {"kind": "open_clip", "name": "glyphs-tiny"},
            "objectives": {"clip": {"kind": "info_nce"}} | objectives,
        }
    )


def test_simcse_is_refused_on_a_tower_without_dropout(towers):
    with pytest.raises(RecipeError, match=r"objectives\.twice needs text features that differ") as caught:
        build_learner(_recipe(twice={"kind": "simcse"}), towers, tokens=None)
    assert "text tower with dropout" in caught.value.hint


def test_simcse_is_taken_where_something_drops(towers):
    recipe = _recipe(twice={"kind": "simcse"})
    real = towers.clip.ln_final
    towers.clip.ln_final = nn.Sequential(real, nn.Dropout(0.1))
    build_learner(recipe, towers, tokens=None)
    towers.clip.ln_final = nn.Sequential(real, nn.Dropout(0.0))
    with pytest.raises(RecipeError):
        build_learner(recipe, towers, tokens=None)
    towers.clip.ln_final = real


def test_captioning_is_refused_on_a_model_that_does_not_write(towers):
    with pytest.raises(RecipeError, match="says nothing of next tokens") as caught:
        build_learner(_recipe(say={"kind": "captioning"}), towers, tokens=None)
    assert "coca_ViT-B-32" in caught.value.hint


def test_nothing_is_asked_of_towers_that_need_nothing(towers):
    build_learner(_recipe(), towers, tokens=None)
