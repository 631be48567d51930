"""Watching a run: checkpoints are evaluated as they appear, once, until the run ends."""

import json
import shutil
import threading
import time

import pytest

from protoclip_cli.recipe.evaluate import EvaluateRecipe
from protoclip_cli.store.checkpoints import list_checkpoints
from protoclip_cli.store.lines import keep_lines, read_lines
from protoclip_cli.store.run import RunFolder
from protoclip_cli.workflows.evaluator import EvaluateSettings
from protoclip_cli.workflows.watch import watch


@pytest.fixture
def run(copied):
    """A run that has just begun: three of its checkpoints are still to come."""
    folder = RunFolder(copied)
    keep_lines(folder.scores, lambda _: False)
    folder.write_status(**{**folder.read_status(), "state": "running", "exit": None})
    return folder


@pytest.fixture
def probes(photos):
    refs = [{"kind": "folder", "path": str(photos)}]
    tasks = {
        "clustering": {"benchmarks": refs},
        "retrieval": {"benchmarks": refs},
    }  # the folder has no captions
    return EvaluateRecipe.model_validate({"tasks": tasks}).tasks


def steps(folder):
    return [row["step"] for row in read_lines(folder.scores) if row["metric"] == "ami"]


def end(folder):
    folder.write_status(**{**folder.read_status(), "state": "finished", "exit": 0})


def test_new_checkpoints_are_evaluated_until_the_run_ends(run, probes, tmp_path, heard):
    waiting = [checkpoint.path for checkpoint in list_checkpoints(run.checkpoints)][1:]
    aside = tmp_path / "aside"
    aside.mkdir()
    for path in waiting:
        shutil.move(path, aside)

    def go_on():
        for path in waiting:
            time.sleep(0.3)
            beside = path.with_name(f".{path.name}.tmp")
            shutil.copytree(aside / path.name, beside)  # half of it may be there when the watcher looks
            beside.rename(path)
        end(run)

    writer = threading.Thread(target=go_on)
    writer.start()
    ears = heard()
    done = watch(run.path, probes, EvaluateSettings(), ears, poll=0.05)
    writer.join()
    expected = [checkpoint.step for checkpoint in list_checkpoints(run.checkpoints)]
    assert steps(run) == expected
    assert list(done.scores) == [f"step_{step}" for step in expected]
    assert len([note for note in ears.warnings if "retrieval cannot run" in note]) == len(expected)
    table = (run.path / "evaluation_metrics_all.csv").read_text().splitlines()
    assert len(table) == 1 + len(expected)
    assert "photos-adjusted-mutual-info" in table[0]


def test_a_watcher_that_was_stopped_goes_on_where_it_was(run, probes):
    end(run)
    first = watch(run.path, probes, EvaluateSettings())
    rows = (run.path / "scores.jsonl").read_text()
    assert len(first.scores) == len(list_checkpoints(run.checkpoints))
    keep_lines(run.scores, lambda row: row["step"] != 8)
    again = watch(run.path, probes, EvaluateSettings())
    # Those with scores are opened once more for the probe that never gave one.
    assert [name for name, scores in again.scores.items() if scores] == ["step_8"]
    assert sorted(steps(run)) == sorted(json.loads(line)["step"] for line in rows.splitlines())[::3]
    assert not any(watch(run.path, {"clustering": probes["clustering"]}, EvaluateSettings()).scores.values())


def test_a_damaged_checkpoint_is_said_and_the_others_go_on(run, probes, heard):
    end(run)
    (run.checkpoints / "step_8" / "model.safetensors").write_bytes(b"cut")
    ears = heard()
    watch(run.path, probes, EvaluateSettings(), ears)
    assert 8 not in steps(run)
    assert any(note.startswith("step_8 is left out") for note in ears.warnings)


def test_the_command_ends_well_when_nothing_is_left_to_do(run, call, photos):
    end(run)
    arguments = ["evaluate", "--watch", run.path, "--data", photos, "--tasks", "clustering"]
    assert call(*arguments).exit_code == 0
    before = run.scores.read_bytes()
    assert call(*arguments).exit_code == 0
    assert run.scores.read_bytes() == before
