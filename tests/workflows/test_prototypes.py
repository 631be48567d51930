"""Looking at episodes and clustering them, in whole runs."""

import json
import shutil

import numpy as np
import pytest

from protoclip_cli.core.errors import DataError, ProtoclipError, RecipeError, Stopped
from protoclip_cli.prototypes.board_files import BoardFiles
from protoclip_cli.store.checkpoints import list_checkpoints
from protoclip_cli.training.clusterer import Clusterer
from protoclip_cli.training.feed import Feed
from protoclip_cli.workflows import raw_features
from protoclip_cli.workflows.train import train


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def crash(*_, **__):
    raise RuntimeError("power")


def crash_at(call_number, original):
    """`original`, until it is called for that time."""
    calls = []

    def counted(*arguments, **options):
        calls.append(1)
        return crash() if len(calls) == call_number else original(*arguments, **options)

    return counted


@pytest.mark.parametrize(
    "where",
    [
        (raw_features.RawFeatures, "write", 1),  # while the teacher's bank is made
        (raw_features.RawFeatures, "remove", 1),  # just after it was
        (Feed, "look", 1),
        (Clusterer, "look", 2),
        (Clusterer, "cluster", 1),
        (Clusterer, "cluster", 2),
        (BoardFiles, "save", 2),
    ],
)
def test_a_crash_in_any_phase(where, recipe, whole, outcome, tmp_path, monkeypatch):
    owner, name, call_number = where
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, crash_at(call_number, getattr(owner, name)))
        with pytest.raises(RuntimeError, match="power"):
            train(recipe(), run=run)
    train(recipe(), run=run, resume=True)
    assert outcome(run) == outcome(whole)
    assert not (run / "bank" / ".raw").exists() or name == "remove"


@pytest.mark.parametrize("phase", ["look", "cluster"])
def test_a_signal_in_the_middle_of_a_phase(phase, recipe, whole, outcome, tmp_path, monkeypatch):
    import os
    import signal

    run, original = tmp_path / "run", getattr(Clusterer, phase)

    def interrupted(*arguments, **options):
        os.kill(os.getpid(), signal.SIGTERM)
        return original(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Clusterer, phase, interrupted)
        with pytest.raises(Stopped, match="after step 5 of 15"):
            train(recipe(), run=run)
    state = json.loads((run / "checkpoints/last/state.json").read_text())
    assert state["phase"] == ("look" if phase == "look" else "train")
    train(recipe(), run=run, resume=True)
    assert outcome(run) == outcome(whole)


def test_prototypes_are_kept_while_a_checkpoint_needs_them(recipe, whole, tmp_path):
    boards = {path.stem for path in (whole / "prototypes").iterdir()}
    needed = {c.state()["board"] for c in list_checkpoints(whole / "checkpoints")} - {-1}
    assert boards == {f"episode_{number}" for number in needed} == {"episode_1", "episode_2"}
    short = train(recipe("checkpoints.keep_last=1"), run=tmp_path / "run").run
    assert [path.name for path in (short / "prototypes").iterdir()] == ["episode_2.safetensors"]


def test_a_checkpoint_without_its_prototypes_is_refused(recipe, copied):
    shutil.rmtree(copied / "prototypes")
    shutil.rmtree(copied / "checkpoints" / "step_15")
    shutil.rmtree(copied / "checkpoints" / "step_10", ignore_errors=True)
    status = json.loads((copied / "status.json").read_text())
    (copied / "status.json").write_text(json.dumps(status | {"state": "failed"}))
    with pytest.raises(DataError, match="is missing; a checkpoint inside this episode needs it"):
        train(recipe(), run=copied, resume=True)


def test_what_is_logged(whole):
    metrics = rows(whole / "metrics.jsonl")
    assert "prototypes/text/live" in metrics[5]
    assert metrics[5]["prototypes/teacher/live"] == 5
    assert not any(name.startswith("prototypes/") for name in metrics[6])
    assert not any(name.startswith("image_from_text/") for name in metrics[4])
    for name in ("loss", "accuracy", "scale"):
        assert f"image_from_text/{name}" in metrics[5]
    assert {"image_std", "text_std", "modality_gap"} <= metrics[0].keys()
    phases = [(row["episode"], row["phase"]) for row in rows(whole / "timings.jsonl") if "phase" in row]
    assert phases == [
        (0, "train"),
        *[(episode, phase) for episode in (1, 2) for phase in ("look", "cluster", "train")],
    ]


@pytest.mark.parametrize(
    "override", ["prototypes.keep_images_gb=0", "prototypes.keep_images_gb=0.00006", "batch.workers=1"]
)
def test_what_is_kept_of_a_look_changes_no_number(override, recipe, whole, outcome, tmp_path):
    assert outcome(train(recipe(override), run=tmp_path / "run").run) == outcome(whole)


@pytest.mark.parametrize("override", ["prototypes.look=clean", "prototypes.normalize=false", "seed=1"])
def test_what_must_change_the_numbers_does(override, recipe, whole, outcome, tmp_path):
    assert outcome(train(recipe(override), run=tmp_path / "run").run)[0] != outcome(whole)[0]


def test_episodes_that_share_a_clustering_continue_with_it(recipe, outcome, signal_after, tmp_path):
    shared = ("prototypes.every=2", "objectives.image_from_text.last_episode=2")
    untouched = train(recipe(*shared), run=tmp_path / "untouched").run
    phases = [(row["episode"], row["phase"]) for row in rows(untouched / "timings.jsonl") if "phase" in row]
    assert (1, "cluster") in phases
    assert (2, "cluster") not in phases
    for step in (9, 10, 12):
        run = tmp_path / f"run{step}"
        with signal_after(step), pytest.raises(Stopped):
            train(recipe(*shared), run=run)
        train(recipe(*shared), run=run, resume=True)
        assert outcome(run) == outcome(untouched)


def test_more_clusters_than_rows(recipe, tmp_path):
    with pytest.raises(RecipeError, match=r"prototypes.k 61 is more than the 60 rows of an episode"):
        train(recipe("prototypes.k=61"), run=tmp_path / "run")


def test_a_bank_of_other_pairs(recipe, whole, tmp_path):
    other = recipe("teacher={bank: " + str(whole / "bank") + "}", "pairs.limit=48")
    with pytest.raises(
        DataError, match=r"was made of other captions \(60\) than these pairs have \(48\)"
    ) as e:
        train(other, run=tmp_path / "run")
    assert "protoclip extract-teacher" in e.value.hint


def test_a_bank_of_the_same_pairs(recipe, whole, outcome, tmp_path):
    given = recipe("teacher={bank: " + str(whole / "bank") + "}")
    assert outcome(train(given, run=tmp_path / "run").run) == outcome(whole)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (np.zeros((59, 6), np.float32), "has 59 rows, and the pairs have 60 captions"),
        (np.full((60, 6), np.nan, np.float32), "60 or more rows .* are not finite"),
        (np.array([["a"] * 6] * 60, object), "cannot be read: .*Python objects"),
        (np.zeros(60, np.float32), r"holds float32 of shape \(60,\), not rows of features"),
    ],
)
def test_a_plain_file_as_a_bank_that_cannot_be(content, words, recipe, tmp_path):
    np.save(tmp_path / "bank.npy", content, allow_pickle=True)
    teacher = f"teacher={{bank: {tmp_path / 'bank.npy'}, unchecked: true}}"
    with pytest.raises(DataError, match=words):
        train(recipe(teacher), run=tmp_path / "run")


def test_a_plain_file_must_be_asked_for(recipe, whole, heard, outcome, tmp_path):
    np.save(tmp_path / "bank.npy", np.load(whole / "bank" / "features.npy"))
    bank = f"teacher={{bank: {tmp_path / 'bank.npy'}}}"
    with pytest.raises(DataError, match="is a file, and a bank is a folder"):
        train(recipe(bank), run=tmp_path / "refused")
    reporter = heard()
    unchecked = bank.replace("}", ", unchecked: true}")
    run = train(recipe(unchecked), run=tmp_path / "run", reporter=reporter).run
    assert any("taken as it is" in warning for warning in reporter.warnings)
    assert outcome(run) == outcome(whole)


def test_features_that_are_not_finite_are_not_clustered(recipe, tmp_path, monkeypatch):
    original = Clusterer.look

    def broken(*arguments):
        return {side: features * float("nan") for side, features in original(*arguments).items()}

    monkeypatch.setattr(Clusterer, "look", broken)
    with pytest.raises(ProtoclipError, match="60 of 60 rows of features are not finite"):
        train(recipe(), run=tmp_path / "run")
