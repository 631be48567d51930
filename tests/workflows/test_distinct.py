"""A table in which captions come again: no batch has one twice, whoever reads it and from wherever."""

import json

import numpy as np
import pytest
from PIL import Image

from protoclip_cli.core.errors import Stopped
from protoclip_cli.workflows.train import train


@pytest.fixture
def table(tmp_path):
    lines = ["filepath\ttitle"]
    for row in range(50):
        name = f"{row % 40}.png"
        Image.fromarray(np.full((32, 32, 3), 5 * (row % 40), np.uint8)).save(tmp_path / name)
        lines.append(f"{name}\t{'the same' if row % 5 == 0 else f'caption {row}'}")
    path = tmp_path / "pairs.tsv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def spread(recipe_file, table, plain, tmp_path):
    from protoclip_cli.recipe.load import load_recipe
    from protoclip_cli.recipe.train import TrainRecipe

    parts = {"pairs": {"kind": "csv", "path": str(table)}, "views": None, "validation": None, **plain}
    path = recipe_file(tmp_path / "r.yaml", **parts, evaluate=None)
    return lambda *overrides: load_recipe(path, TrainRecipe, ["batch.size=10", *overrides])


@pytest.fixture
def finished():
    def found(run):
        state = json.loads((run / "checkpoints" / "last" / "state.json").read_text())
        return state["model_hash"], (run / "metrics.jsonl").read_text()

    return found


def test_what_cannot_be_kept_apart_is_told(spread, heard, tmp_path):
    said = heard()
    train(spread("batch.distinct=both"), run=tmp_path / "run", reporter=said)
    told = [note for note in said.notes if "of the same image or caption" in note]
    assert len(told) == 3
    assert "episode 0: 5 rows share a batch" in told[0]
    events = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    assert [(event["event"], event["episode"], event["rows"]) for event in events] == [
        ("repetitions", episode, 5) for episode in range(3)
    ]
    quiet = heard()
    train(spread("batch.distinct=image"), run=tmp_path / "other", reporter=quiet)
    assert not [note for note in quiet.notes if "share a batch" in note]


def test_a_run_that_was_stopped_goes_on_with_the_same_batches(spread, signal_after, finished, tmp_path):
    recipe = spread("batch.distinct=both")
    train(recipe, run=tmp_path / "whole")
    with signal_after(7), pytest.raises(Stopped):
        train(recipe, run=tmp_path / "run")
    train(recipe, run=tmp_path / "run", resume=True)
    assert finished(tmp_path / "run") == finished(tmp_path / "whole")
    events = [
        (run / "events.jsonl").read_text().count("repetitions")
        for run in map(tmp_path.joinpath, ("run", "whole"))
    ]
    assert events == [3, 3]
    train(spread(), run=tmp_path / "plain")
    assert finished(tmp_path / "plain") != finished(tmp_path / "whole")
