"""What a recipe's towers must have for its objectives."""

import pytest
from torch import nn

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.models.builders import BUILDERS
from protoclip_cli.recipe.train import TrainRecipe
from protoclip_cli.workflows.building import build_learner, check_towers


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
    with pytest.raises(
        RecipeError, match=r"objectives\.twice compares what dropout leaves, and the text tower"
    ) as caught:
        build_learner(_recipe(twice={"kind": "simcse"}), towers, tokens=None)
    assert "text tower with dropout" in caught.value.hint


def test_simcse_is_taken_where_something_drops(towers):
    recipe = _recipe(twice={"kind": "simcse"})
    towers.clip.extra = nn.Dropout(0.1)
    check_towers(recipe, towers)
    towers.clip.extra.p = 0.0
    with pytest.raises(RecipeError):
        check_towers(recipe, towers)
    del towers.clip.extra


def test_captioning_is_refused_on_a_model_that_does_not_write(towers):
    with pytest.raises(RecipeError, match=r"objectives\.say reads next tokens") as caught:
        build_learner(_recipe(say={"kind": "captioning"}), towers, tokens=None)
    assert "coca_ViT-B-32" in caught.value.hint


def test_nothing_is_asked_of_towers_that_need_nothing(towers):
    check_towers(_recipe(), towers)
