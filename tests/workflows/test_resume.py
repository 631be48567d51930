"""Interrupted anywhere and resumed: the run nobody touched, bit for bit (on one machine, same threads)."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch

from protoclip_cli.core.errors import Interrupted, ResourceError, Stopped, UsageError
from protoclip_cli.store.checkpoints import list_checkpoints
from protoclip_cli.training import saving
from protoclip_cli.workflows.train import train


def status(run):
    return json.loads((run / "status.json").read_text())


def events(run):
    path = run / "events.jsonl"
    return [json.loads(line)["event"] for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.parametrize("step", [1, 4, 7, 15])
def test_stopped_after_any_step(step, recipe, whole, outcome, signal_after, tmp_path):
    run = tmp_path / "run"
    with (
        signal_after(step),
        pytest.raises(Stopped, match=rf"SIGTERM after step {step} of 15; everything") as e,
    ):
        train(recipe(), run=run)
    assert e.value.exit_code == 75
    assert "--resume" in e.value.hint
    assert {key: status(run)[key] for key in ("state", "exit")} == {"state": "stopped", "exit": 75}
    assert (run / "checkpoints" / "last").resolve().name == f"step_{step}"
    assert events(run) == ["stopped"]
    train(recipe(), run=run, resume=True)
    assert outcome(run) == outcome(whole)
    assert status(run) == status(whole)


def test_a_step_at_a_time(recipe, whole, outcome, signal_after, tmp_path):
    for step in (2, 3, 9):
        with signal_after(step), pytest.raises(Stopped):
            train(recipe(), run=tmp_path / "run", resume=True)
    train(recipe(), run=tmp_path / "run", resume=True)
    assert outcome(tmp_path / "run") == outcome(whole)


def test_ctrl_c(recipe, whole, outcome, signal_after, tmp_path):
    run = tmp_path / "run"
    with signal_after(6, signal.SIGINT), pytest.raises(Interrupted, match="SIGINT after step 6") as e:
        train(recipe(), run=run)
    assert e.value.exit_code == status(run)["exit"] == 130
    train(recipe(), run=run, resume=True)
    assert outcome(run) == outcome(whole)


@pytest.mark.parametrize("episode", [0, 2])
def test_stopped_between_two_evaluations(episode, recipe, whole, outcome, heard, tmp_path):
    def after_the_first_score(reporter):
        if reporter.rows[-1]["episode"] == episode:
            os.kill(os.getpid(), signal.SIGTERM)

    run = tmp_path / "run"
    with pytest.raises(Stopped):
        train(recipe(), run=run, reporter=heard(after_the_first_score))
    probes = [json.loads(line)["probe"] for line in (run / "scores.jsonl").read_text().splitlines()]
    assert probes[-1] == "validation"
    assert json.loads((run / "checkpoints/last/state.json").read_text())["phase"] == "evaluate"
    train(recipe(), run=run, resume=True)
    assert outcome(run) == outcome(whole)


def test_a_crash_without_a_word(recipe, whole, outcome, tmp_path, monkeypatch):
    """No signal, nothing saved: the run goes back to the checkpoint before and forgets what came after."""
    run = tmp_path / "run"

    def crash(*_):
        raise RuntimeError("power")

    with monkeypatch.context() as patch:
        patch.setattr(saving, "prune", lambda folder, *_: crash() if len(list_checkpoints(folder)) > 2 else 0)
        with pytest.raises(RuntimeError, match="power"):
            train(recipe(), run=run)
    assert status(run)["state"] == "failed"
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 9, "loss": 7}\n{"step": 10, "lo')
    shutil.rmtree(run / "checkpoints" / "step_8")
    train(recipe(), run=run, resume=True)
    assert outcome(run) == outcome(whole)


@pytest.mark.slow
def test_killed(recipe_file, recipe, whole, outcome, tmp_path):
    run, path = tmp_path / "run", recipe_file(tmp_path / "r.yaml")
    command = [sys.executable, "-m", "protoclip_cli", "train", str(path), "--run", str(run), "-q"]
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
    while process.poll() is None and not (run / "metrics.jsonl").is_file():
        time.sleep(0.001)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert status(run)["state"] == "running"
    train(recipe(), run=run, resume=True)
    assert outcome(run) == outcome(whole)


def test_a_damaged_checkpoint_costs_the_steps_since_the_one_before(
    recipe, whole, outcome, heard, signal_after, tmp_path
):
    run = tmp_path / "run"
    with signal_after(9), pytest.raises(Stopped):
        train(recipe(), run=run)
    weights = run / "checkpoints" / "step_9" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    reporter = heard()
    train(recipe(), run=run, resume=True, reporter=reporter)
    assert [note for note in reporter.warnings if "step_9" in note and "is damaged" in note]
    assert any("from step 8" in note for note in reporter.notes)
    assert outcome(run) == outcome(whole)


def test_a_full_disk_costs_the_steps_since_the_checkpoint_before(
    recipe, whole, outcome, tmp_path, monkeypatch
):
    run, real = tmp_path / "run", saving.torch.save

    def full(state, path):
        if "step_8" in str(path):
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        real(state, path)

    with monkeypatch.context() as patch:
        patch.setattr(saving.torch, "save", full)
        with pytest.raises(ResourceError, match=r"the disk is full while saving .*step_8") as e:
            train(recipe(), run=run)
    assert e.value.exit_code == status(run)["exit"] == 6
    assert "what was saved before is intact" in e.value.hint
    saved = [checkpoint.path.name for checkpoint in list_checkpoints(run / "checkpoints")]
    assert saved == ["step_4", "step_5"]
    assert not list((run / "checkpoints").glob(".*"))
    train(recipe(), run=run, resume=True)
    assert outcome(run) == outcome(whole)


def test_a_finished_run_is_left_as_it_is(recipe, whole, heard):
    def look(folder):
        return {
            str(path.relative_to(folder)): path.stat().st_mtime_ns
            for path in folder.rglob("*")
            if path.is_file() and path.name != "status.json" and "logs" not in path.parts
        }

    before, reporter = look(whole), heard()
    report = train(recipe(), run=whole, resume=True, reporter=reporter)
    assert reporter.notes == [f"{whole} is finished; nothing to do"]
    assert look(whole) == before
    assert report.step == 15
    assert {score.step for score in report.scores} == {15}
    assert status(whole)["exit"] == 0


def test_resume_starts_where_nothing_is(recipe, tmp_path):
    assert train(recipe("episodes.count=1"), run=tmp_path / "run", resume=True).step == 5


def test_a_changed_recipe_is_refused_until_it_is_allowed(recipe, signal_after, tmp_path):
    run = tmp_path / "run"
    with signal_after(5), pytest.raises(Stopped):
        train(recipe(), run=run)
    changed = recipe("optimizer.lr=2e-3", "episodes.count=2", "optimizer.weight_decay=0.7")
    with pytest.raises(UsageError) as e:
        train(changed, run=run, resume=True)
    assert e.value.exit_code == 2
    assert str(e.value).splitlines() == [
        f"the recipe of {run} is another one",
        "  episodes.count: 3 -> 2",
        "  optimizer.lr: 0.001 -> 0.002",
        "  optimizer.weight_decay: 0.2 -> 0.7",
    ]
    assert "--allow-recipe-change" in e.value.hint
    report = train(changed, run=run, resume=True, allow_recipe_change=True)
    assert report.step == 10
    assert events(run) == ["stopped", "recipe_changed"]
    state = torch.load(run / "checkpoints/step_10/optimizer.pt", weights_only=True)
    groups = state["optimizer"]["param_groups"]
    assert {group["weight_decay"] for group in groups} == {0.0, 0.7}
    train(changed, run=run, resume=True)
