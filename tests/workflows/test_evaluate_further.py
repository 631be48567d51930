"""Weights between two models, effective robustness and submissions, from the command line."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protoclip_cli.evaluation.probes.few_shot import FewShotSpec
from protoclip_cli.evaluation.score import Score
from protoclip_cli.workflows import evaluate as workflow
from protoclip_cli.workflows import submission

ZERO_SHOT = ("--tasks", "zero_shot", "--benchmarks", "glyphs_digits", "--no-cache")


@pytest.mark.usefixtures("recipe")
def test_weights_between_two_models_are_models_of_their_own(call, whole):
    episode = ("--ckpt", whole / "checkpoints" / "last", "--wise-ft", whole / "checkpoints" / "last")
    done = call("evaluate", *episode, "--alphas", "0,0.5,1", *ZERO_SHOT, "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    names = [model["name"].rpartition(" ")[2] for model in found["models"]]
    assert names == ["alpha=0", "alpha=0.5", "alpha=1"]
    scores = [row["value"] for row in found["scores"] if row["metric"] == "top1"]
    assert len(set(scores)) == 1  # the way from a model to itself


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--wise-ft", "x", "--alphas", "0,two"), "--alphas 0,two: these are not numbers from 0 to 1"),
        (("--wise-ft", "x", "--alphas", "2"), "--alphas 2: these are not numbers from 0 to 1"),
        (("--wise-ft", "x", "--ckpt", "y"), "--wise-ft goes with one --ckpt"),
        (("--robustness", "none.csv"), "none.csv cannot be read"),
        (("--submission", "out"), "there is nothing to submit"),
    ],
)
def test_what_cannot_be_is_told(call, tiny, options, words):
    done = call("evaluate", "--ckpt", tiny, *options, *ZERO_SHOT, "-q")
    assert done.exit_code in {2, 4}
    assert words in done.stderr


def test_two_models_of_different_shapes_have_nothing_between(call, tiny, whole):
    done = call("evaluate", "--ckpt", whole, "--wise-ft", "ViT-B-32", *ZERO_SHOT)
    assert (done.exit_code, "no folder or file ViT-B-32" in done.stderr) == (4, True)
    assert tiny.is_dir()


def test_effective_robustness_joins_the_scores(monkeypatch, tmp_path):
    def score(benchmark, value):
        return Score(
            probe="zero_shot", benchmark=benchmark, split="val", metric="top1", value=value, n=10,
            model_hash="m", transform="t", precision="fp32", seed=0, seconds=0.0,
        )  # fmt: skip

    class Fixed:
        benchmarks = type("Opened", (), {"missing": {}})()

        def __init__(self, *_):
            pass

        def locate(self, one):
            return one

        def evaluate(self, *_):
            return [score("imagenet", 0.6), score("imagenet-a", 0.4)]

    monkeypatch.setattr(workflow, "Evaluator", Fixed)
    table = tmp_path / "references.csv"
    table.write_text("model,imagenet,imagenet-a\na,0.5,0.2\nb,0.7,0.4\nc,0.6,0.3\n")
    done = workflow.compare([workflow.Wanted("m")], {}, workflow.EvaluateSettings(), references=table)
    last = done.scores["m"][-1]
    assert (last.benchmark, last.metric) == ("imagenet-a", "effective_robustness")
    assert last.value == pytest.approx(0.1, abs=0.01)


@pytest.fixture
def memes(tmp_path):
    """ELEVATER's smallest data set, of noise."""
    folder = tmp_path / "data" / "elevater" / "classification" / "hateful_memes_20211014"
    folder.mkdir(parents=True)
    png = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)).save(png, "PNG")
    with zipfile.ZipFile(folder / "test.zip", "w") as archive:
        for number in range(500):
            archive.writestr(f"{number}.png", png.getvalue())
    table = {
        "images": [{"id": n, "file_name": f"{n}.png", "zip_file": "test.zip"} for n in range(1, 500)]
        + [{"id": 500, "file_name": "0.png", "zip_file": "test.zip"}],
        "annotations": [{"id": n, "image_id": n, "category_id": 1 + n % 2} for n in range(1, 501)],
        "categories": [{"id": 1, "name": "fine"}, {"id": 2, "name": "hateful"}],
    }
    (folder / "test_meta.json").write_text(json.dumps(table))
    return tmp_path / "data"


def test_predictions_for_the_leaderboard(call, tiny, memes):
    options = ("--tasks", "zero_shot", "--benchmarks", "elevater_hateful-memes", "--data-root", memes)
    done = call("evaluate", "--ckpt", tiny, *options, "--submission", "out", "--no-cache")
    assert done.exit_code == 0, done.stderr
    assert "zero_shot would be refused by the leaderboard" in done.stderr
    with zipfile.ZipFile("out/zero_shot/all_predictions.zip") as archive:
        (entry,) = json.loads(archive.read("all_predictions.json"))["data"]
    assert (entry["dataset_name"], entry["n_shot"], entry["rnd_seeds"]) == ("hateful-memes", 0, [0])
    assert np.shape(entry["predictions"]) == (1, 500, 2)
    assert np.allclose(np.sum(entry["predictions"], axis=2), 1, atol=1e-3)
    assert Path("out/zero_shot/hateful-memes.json").is_file()


@pytest.mark.parametrize("features", ["embedding", "backbone"])
def test_a_submission_counts_the_head_that_was_fitted(features, tiny, monkeypatch, tmp_path):
    monkeypatch.setattr(submission, "ELEVATER", {"digits": None})
    monkeypatch.setattr(submission, "write_merged", lambda folder, **_: folder)  # knows no digits
    monkeypatch.setattr(FewShotSpec, "logits", lambda *_: np.zeros((359, 10), np.float32))
    probe = FewShotSpec(benchmarks=["digits"], seeds=[0], features=features)
    (folder,) = submission.submit(
        workflow.Wanted(str(tiny)), [probe], workflow.EvaluateSettings(cache_bytes=0), tmp_path
    )
    counts = json.loads((folder / "seed0_digits.json").read_text())
    head = 10 * ({"embedding": 16, "backbone": 256}[features] + 1)
    assert counts["num_trainable_params"] == head
    assert counts["num_params"] == counts["num_backbone_params"] + head
    assert counts["num_backbone_params"] > counts["num_visual_params"] > 0
