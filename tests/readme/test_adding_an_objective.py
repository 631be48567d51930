"""The README's objective in a file of its own: it trains, comes back from the run folder, and is shared."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.recipe.load import load_recipe
from protoclip_cli.recipe.train import TrainRecipe
from protoclip_cli.workflows.train import train

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
KIND = "hardest_negative:HardestNegativeSpec"
RECIPE = """\
name: own
pairs: {kind: glyphs, limit: 32}
model: {kind: open_clip, name: glyphs-tiny, vocabulary: used}
objectives: {hard: {kind: hardest_negative:HardestNegativeSpec, margin: 0.4}}
batch: {size: 8, workers: 0}
optimizer: {kind: adamw, lr: 1e-3}
"""


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A directory with the README's objective and a recipe that names it."""
    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    block = re.search(r"<!-- an objective of your own -->\n```python\n(.*?)```", README, re.DOTALL)
    Path("hardest_negative.py").write_text(block[1])
    Path("own.yaml").write_text(RECIPE)
    yield tmp_path
    sys.modules.pop("hardest_negative", None)


def losses(run):
    return [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.usefixtures("desk")
def test_the_readmes_objective_trains_and_comes_back():
    recipe = load_recipe(Path("own.yaml"), TrainRecipe, ["episodes.count=2"])
    assert recipe.objectives["hard"].margin == 0.4
    report = train(recipe, run=Path("run"))
    assert report.step == 8
    assert losses(report.run)[-1] < losses(report.run)[0]
    saved = yaml.safe_load((report.run / "recipe.yaml").read_text())
    assert saved["objectives"]["hard"]["kind"] == KIND
    assert load_recipe(report.run / "recipe.yaml", TrainRecipe) == recipe
    assert train(recipe, run=Path("run"), resume=True).step == 8


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (
            "soft_negative:X",
            "there is no module 'soft_negative'; the current directory or PYTHONPATH must hold it",
        ),
        ("hardest_negative:HardestNegativeSpce", "did you mean 'HardestNegativeSpec'?"),
        ("hardest_negative:Needs", "must be derived from protoclip_cli.objectives.base.ObjectiveSpec"),
    ],
)
def test_what_is_wrong_with_a_kind_stands_beside_its_line(kind, said):
    with pytest.raises(RecipeError) as error:
        load_recipe(Path("own.yaml"), TrainRecipe, [f"objectives.hard.kind={kind}"])
    (line,) = str(error.value).splitlines()[1:]
    assert line.startswith("  own.yaml:4: objectives.hard: ")
    assert line.endswith(said)


@pytest.mark.slow
def test_two_processes_learn_what_one_does(desk):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    root = str(Path(__file__).parents[2])
    environment["PYTHONPATH"] = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    # As the installed command does, which does not look into the current directory by itself.
    code = "import sys; sys.path.remove(''); from protoclip_cli.__main__ import main; main()"
    command = [sys.executable, "-c", code, "train", "own.yaml", "--run", "two", "--nproc", "2", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    alone = train(load_recipe(Path("own.yaml"), TrainRecipe), run=Path("one")).run
    assert losses(desk / "two") == pytest.approx(losses(alone), rel=1e-3)
