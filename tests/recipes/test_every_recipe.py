"""Every shipped recipe loads, comes back the same, and says what it is; the schema files are fresh."""

import importlib
import json
from pathlib import Path

import pytest
import yaml

import protoclip_cli
from protoclip_cli.core.catalog import Catalog
from protoclip_cli.recipe.evaluate import EvaluateRecipe
from protoclip_cli.recipe.extract_teacher import ExtractTeacherRecipe
from protoclip_cli.recipe.gather import GatherRecipe
from protoclip_cli.recipe.load import load_recipe, save_recipe
from protoclip_cli.recipe.schema_file import generate, kinds_by_part, schema_path
from protoclip_cli.recipe.shipped import shipped, shipped_folder, summary
from protoclip_cli.recipe.train import TrainRecipe

SCHEMAS = {
    "train": TrainRecipe,
    "evaluate": EvaluateRecipe,
    "extract-teacher": ExtractTeacherRecipe,
    "gather": GatherRecipe,
}
PATHS = sorted(shipped_folder().rglob("*.y*ml"))

every_recipe = pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path.parent.name}/{path.stem}")


def test_recipes_are_where_the_command_line_looks():
    assert {"train/quickstart"} <= shipped().keys()
    assert sorted(shipped().values()) == PATHS
    short = [path.stem for path in PATHS]
    assert len(set(short)) == len(short), "a short name must mean one recipe"
    assert {path.relative_to(shipped_folder()).parts[0] for path in PATHS} <= SCHEMAS.keys()


@every_recipe
def test_it_loads_and_comes_back_the_same(path, tmp_path):
    schema = SCHEMAS[path.relative_to(shipped_folder()).parts[0]]
    recipe = load_recipe(path, schema)
    save_recipe(recipe, tmp_path / "saved.yaml")
    assert load_recipe(tmp_path / "saved.yaml", schema) == recipe


@every_recipe
def test_its_first_line_says_what_it_is_and_the_next_ones_how_to_run_it(path):
    first, *rest = path.read_text(encoding="utf-8").splitlines()
    assert first.startswith("# ")
    assert summary(path).endswith(".")
    assert len(first) <= 110
    comment = [line for line in rest[:6] if line.startswith("#")]
    assert any("protoclip " in line for line in comment)


@every_recipe
def test_it_says_only_what_differs_from_the_defaults(path):
    """A shipped recipe is read by people; keys at their defaults hide those that matter."""
    keys = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert len(keys) < len(SCHEMAS[path.relative_to(shipped_folder()).parts[0]].model_fields)


@pytest.mark.parametrize("command", SCHEMAS)
def test_the_schema_file_is_fresh(command):
    fresh = generate()
    assert fresh.keys() == SCHEMAS.keys()
    advice = "run `python -m protoclip_cli.recipe.schema_file`"
    assert schema_path(command).read_text(encoding="utf-8") == fresh[command], advice


def test_the_schema_holds_every_kind_of_every_catalog():
    text = "".join(schema_path(command).read_text(encoding="utf-8") for command in SCHEMAS)
    listed = {kind for kinds in kinds_by_part().values() for kind in kinds}
    package = Path(protoclip_cli.__file__).parent
    seen = 0
    for init in sorted(package.rglob("__init__.py")):
        if "Catalog(" not in init.read_text():
            continue
        name = ".".join(init.parent.relative_to(package.parent).parts)
        if name == "protoclip_cli.sharing.export":  # chosen on the command line
            continue
        for catalog in list(vars(importlib.import_module(name)).values()):
            if isinstance(catalog, Catalog):
                seen += 1
                for kind in catalog.kinds():
                    assert f'"const": "{kind}"' in text, f"{name}: {kind}"
                    assert kind in listed, f"{name}: {kind}"
    assert seen >= 9


@pytest.mark.parametrize("command", SCHEMAS)
def test_every_key_of_the_schema_is_described(command):
    schema = json.loads(schema_path(command).read_text(encoding="utf-8"))
    bare = [key for key, value in schema["properties"].items() if not value.keys() & {"description", "$ref"}]
    assert bare == []
