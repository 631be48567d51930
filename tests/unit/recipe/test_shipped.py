import pytest

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.recipe.shipped import find_recipe, shipped, summary

WAYS = ["quickstart", "train/quickstart", "quickstart.yaml", "recipes/train/quickstart.yaml"]


@pytest.mark.parametrize("name", WAYS)
def test_a_shipped_recipe_has_several_names(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_recipe(name) == shipped()["train/quickstart"]


def test_a_file_comes_before_a_shipped_recipe_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quickstart").write_text("# mine\n")
    assert find_recipe("quickstart").read_text() == "# mine\n"


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("quickstrat", "did you mean 'quickstart'? "),
        ("train/quickstar.yaml", "did you mean 'train/quickstart'? "),
        ("zzzzzz", ""),
    ],
)
def test_an_unknown_name_gets_the_nearest(name, advice):
    with pytest.raises(RecipeError, match=f"no file {name} and no shipped recipe") as caught:
        find_recipe(name)
    assert caught.value.hint == advice + "`protoclip recipes ls` lists the shipped ones"


def test_a_folder_is_no_recipe(tmp_path):
    with pytest.raises(RecipeError, match="no shipped recipe"):
        find_recipe(str(tmp_path))


def test_the_summary_is_the_first_comment(tmp_path):
    (tmp_path / "a.yaml").write_text("#  What it is.\nname: x\n")
    assert summary(tmp_path / "a.yaml") == "What it is."
    (tmp_path / "b.yaml").write_text("name: x\n# not first\n")
    assert summary(tmp_path / "b.yaml") == ""
