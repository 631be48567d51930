"""`protoclip evaluate` from the outside: what it takes, what it writes, and how it ends."""

import json
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from protoclip_cli.evaluation.model_embedder import ModelEmbedder
from protoclip_cli.evaluation.subjects import Wanted, open_subject
from protoclip_cli.store.lines import read_lines


@pytest.fixture
def weights(tiny, tmp_path):
    """The exported model as a file of weights, and its architecture."""
    torch.save(
        {
            "state_dict": {
                f"module.{k}": v for k, v in load_file(tiny / "open_clip_model.safetensors").items()
            }
        },
        tmp_path / "tiny.pt",
    )
    (tmp_path / "tiny-clip.json").write_text((tiny / "configs" / "test-tiny.json").read_text())
    return tmp_path / "tiny.pt", tmp_path / "tiny-clip.json"


def document(done):
    return json.loads(done.stdout)


def values(document, model=None):
    hashes = {entry["name"]: entry["model_hash"] for entry in document["models"]}
    rows = [row for row in document["scores"] if model is None or row["model_hash"] == hashes[model]]
    return {(row["probe"], row["benchmark"], row["metric"]): row["value"] for row in rows}


def test_models_of_all_kinds_are_compared(call, tiny, copied, photos, weights):
    file, architecture = weights
    named = ["--ckpt", tiny, "--ckpt", file, "--run", copied, "--model", architecture]
    done = call("evaluate", *named, "--data", photos, "--tasks", "zero_shot,clustering", "--json")
    assert done.exit_code == 0
    found = document(done)
    assert [entry["name"] for entry in found["models"]] == [str(tiny), str(file), str(copied)]
    assert len({entry["model_hash"] for entry in found["models"]}) == 2  # the first two are the same tensors
    last = found["models"][-1]
    assert (last["episode"], last["step"]) == (2, 15)
    assert "taken to be of plain GELU" in done.stderr
    lines = [line for line in done.stderr.splitlines() if "top1" in line and "│" in line]
    assert len(lines) == 1
    assert lines[0].count("%") == 3


def test_an_average_is_over_benchmarks_that_all_have(call, tiny, copied, photos):
    done = call(
        *("evaluate", "--ckpt", tiny, "--ckpt", copied, "--data", photos, "--benchmarks", "glyphs_digits"),
        *("--tasks", "zero_shot", "--json"),
    )
    means = {mean["metric"]: mean for mean in document(done)["averages"]}
    assert means["top1"]["benchmarks"] == ["glyphs_digits", "photos"]
    rows = values(document(done), str(tiny))
    expected = sum(rows["zero_shot", name, "top1"] for name in ("glyphs_digits", "photos")) / 2
    assert means["top1"]["values"][str(tiny)] == pytest.approx(expected)
    assert "mean of 2" in done.stderr


def test_an_episode_of_a_run_is_chosen(call, copied, photos):
    common = ("--data", photos, "--tasks", "clustering", "--json")
    done = call("evaluate", "--run", copied, "--episode", 1, *common)
    assert [(entry["episode"], entry["step"]) for entry in document(done)["models"]] == [(1, 10)]
    done = call("evaluate", "--run", copied, "--episode", 7, *common)
    assert done.exit_code == 4
    assert "no checkpoint of the end of episode 7" in done.stderr
    assert "episodes with one: 0, 1, 2" in done.stderr


def test_precision_is_recorded_and_backbone_features_have_a_name_of_their_own(call, tiny, photos):
    done = call(
        *("evaluate", "--ckpt", tiny, "--data", photos, "--tasks", "linear_probe,zero_shot", "--json"),
        *("--precision", "bf16", "--feature", "backbone"),
    )
    rows = document(done)["scores"]
    assert {row["precision"] for row in rows} == {"bf16"}
    assert {row["metric"] for row in rows if row["probe"] == "linear_probe"} == {
        "top1@backbone",
        "mean_per_class@backbone",
    }
    assert "top1" in {row["metric"] for row in rows if row["probe"] == "zero_shot"}


def test_one_encoder_runs_probes_of_images_and_says_why_no_others(call, photos):
    done = call("evaluate", "--model", "timm:resnet10t", "--data", photos, "--json")
    assert done.exit_code == 0
    assert {row["probe"] for row in document(done)["scores"]} >= {"linear_probe", "clustering"}
    assert "zero_shot" not in {row["probe"] for row in document(done)["scores"]}
    assert "its weights are left to chance" in done.stderr
    assert done.stderr.count("has no text tower") == 1


def test_a_missing_benchmark_is_exit_4_after_all_else_is_done(call, tiny, photos, tmp_path):
    arguments = ["--data", tmp_path / "nowhere.tsv", "--data", photos, "--tasks", "zero_shot", "--json"]
    done = call("evaluate", "--ckpt", tiny, *arguments)
    assert done.exit_code == 4
    assert {row["benchmark"] for row in document(done)["scores"]} == {"photos"}
    assert list(document(done)["missing"]) == ["nowhere"]
    assert "error: 1 benchmarks are missing: nowhere" in done.stderr
    assert "--skip-missing" in done.stderr
    again = call("evaluate", "--ckpt", tiny, *arguments, "--skip-missing")
    assert again.exit_code == 0
    assert values(document(again)) == values(document(done))


def test_a_second_evaluation_embeds_nothing_and_an_unreadable_cache_is_said(
    call, tiny, photos, tmp_path, monkeypatch
):
    monkeypatch.setenv("PROTOCLIP_CACHE", str(tmp_path / "cache"))
    arguments = ["evaluate", "--ckpt", tiny, "--data", photos, "--tasks", "zero_shot,linear_probe", "--json"]
    first = call(*arguments)
    encoded = []
    original = ModelEmbedder._encode
    monkeypatch.setattr(ModelEmbedder, "_encode", lambda *a: encoded.append(1) or original(*a))
    assert values(document(call(*arguments))) == values(document(first))
    assert encoded == []
    assert values(document(call(*arguments, "--no-cache"))) == values(document(first))
    assert len(encoded) == 3
    call(*arguments, "--precision", "bf16")
    assert len(encoded) == 6
    for file in (tmp_path / "cache").rglob("features.npy"):
        file.write_bytes(file.read_bytes()[:-5])
    done = call(*arguments)
    assert done.exit_code == 0
    assert values(document(done)) == values(document(first))
    assert done.stderr.count("cannot be used and are computed again") == 3


def test_weights_that_are_not_numbers_end_it_and_leave_the_others_their_scores(call, tiny, photos, tmp_path):
    broken = shutil.copytree(tiny, tmp_path / "broken")
    tensors = load_file(broken / "open_clip_model.safetensors")
    tensors["visual.conv1.weight"][0] = float("nan")
    save_file(tensors, broken / "open_clip_model.safetensors")
    common = ("--data", photos, "--tasks", "clustering", "--json")
    done = call("evaluate", "--ckpt", broken, *common)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "not finite for 15 of 15 images" in done.stderr
    done = call("evaluate", "--ckpt", broken, "--ckpt", tiny, *common)
    assert done.exit_code == 1
    assert [entry["name"] for entry in document(done)["models"]] == [str(tiny)]


def test_a_checkpoint_that_is_being_written_is_not_read(call, copied, photos):
    last = max((copied / "checkpoints").glob("step_*"), key=lambda path: int(path.name[5:]))
    being_written = last.with_name(f".{last.name}.tmp")
    last.rename(being_written)
    (being_written / "state.json").unlink()
    common = ("--data", photos, "--tasks", "clustering", "--json")
    done = call("evaluate", "--run", copied, *common)
    assert done.exit_code == 0
    assert document(done)["models"][0]["step"] < int(last.name[5:])
    done = call("evaluate", "--ckpt", being_written, *common)
    assert done.exit_code == 4
    assert "is not a whole checkpoint" in done.stderr


def test_the_wrong_architecture_for_a_file(call, weights, photos):
    file, _ = weights
    done = call("evaluate", "--ckpt", file, "--model", "glyphs-tiny", "--data", photos)
    assert done.exit_code == 4
    assert "is not of glyphs-tiny" in done.stderr
    assert "tensors of another shape (" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--pretrained", "openai"], 2, "weights of no model"),
        (["--ckpt", "a", "--ckpt", "a"], 2, "named twice"),
        (["--ckpt", "nowhere"], 4, "there is no folder or file nowhere"),
        (["--ckpt", "nowhere", "--tasks", "zero_shoot"], 2, "no probe or list of tasks 'zero_shoot'"),
        (["--watch", "nowhere"], 4, "is no run"),
        (["--watch", "a", "--ckpt", "b"], 2, "one run"),
        (["--model", "RN51"], 3, "no model 'RN51'"),
        (["--model", "RN50", "--pretrained", "nobody"], 3, "neither a file nor a tag"),
    ],
)
def test_what_cannot_be_is_said(call, arguments, code, words):
    done = call("evaluate", *arguments)
    assert (done.exit_code, done.stdout) == (code, "")
    assert words in done.stderr


def test_lists(call):
    models = call("evaluate", "--list-models").stdout.splitlines()
    assert any(line.startswith("RN50\topenai") for line in models)
    assert "glyphs-tiny\t" in models
    benchmarks = call("evaluate", "--list-benchmarks").stdout.splitlines()
    assert any(line.startswith("glyphs_digits\tcarried\t") for line in benchmarks)
    assert any(line.startswith("imagenet\tmissing\t") and "data/imagenet" in line for line in benchmarks)
    assert "openai" in json.loads(call("evaluate", "--list-models", "--json").stdout)["RN50"]


def test_the_model_is_pinned_while_it_is_open(copied):
    from protoclip_cli.store.checkpoints import list_checkpoints, prune

    with open_subject(Wanted(str(copied), episode=0), lambda _: None) as subject:
        prune(copied / "checkpoints", 1, lambda _: False)
        steps = [checkpoint.step for checkpoint in list_checkpoints(copied / "checkpoints")]
        assert steps == [subject.step, 15]
    prune(copied / "checkpoints", 1, lambda _: False)
    assert len(list_checkpoints(copied / "checkpoints")) == 1


def test_two_evaluations_of_one_run_at_once(copied, photos, tmp_path):
    before = len(list(read_lines(copied / "scores.jsonl")))
    code = "import sys; from protoclip_cli.cli.main import app; app(sys.argv[1:], prog_name='protoclip')"
    arguments = ["evaluate", "--run", str(copied), "--data", str(photos), "--tasks", "clustering", "--json"]
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, *arguments, "--seed", str(seed)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
        for seed in (1, 2)
    ]
    ended = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    lines = (copied / "scores.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) == before + 6
    assert {row["seed"] for row in rows[before:]} == {1, 2}
    assert "photos-adjusted-mutual-info" in (copied / "evaluation_metrics_all.csv").read_text()
