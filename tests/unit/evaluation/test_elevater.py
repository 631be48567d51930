import csv
import json
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from protoclip_cli.core.errors import DataError
from protoclip_cli.evaluation import elevater_submission
from protoclip_cli.evaluation.elevater_counts import ParameterCounts, count_parameters
from protoclip_cli.evaluation.elevater_datasets import ELEVATER, ElevaterDataset
from protoclip_cli.evaluation.elevater_submission import Entry, merge, write_merged, write_predictions
from protoclip_cli.evaluation.elevater_summary import summarise, write_summary

COUNTS = ParameterCounts(0, 10, 6, 9)
HALF = np.full((3, 2), 0.5)


def entry(seed=0, shots=0, trained=0, name="mine"):
    return Entry(name, ParameterCounts(trained, 10, 6, 9), shots, seed)


def test_there_are_twenty():
    assert len(ELEVATER) == 20
    assert list(ELEVATER) == sorted(ELEVATER)
    assert {dataset.metric for dataset in ELEVATER.values()} == {"top1", "mean_per_class", "roc_auc", "map11"}


def test_a_file_of_zero_shot_predictions(tmp_path):
    rows = np.array([[1 / 3, 2 / 3], [1, 0]])
    path = write_predictions(tmp_path / "predictions" / "a", "mnist", rows, entry())
    assert path == tmp_path / "predictions" / "a" / "mnist.json"
    assert json.loads(path.read_text()) == {
        "model_name": "mine",
        "dataset_name": "mnist",
        "num_trainable_params": 0,
        "num_params": 10,
        "num_visual_params": 6,
        "num_backbone_params": 9,
        "n_shot": 0,
        "rnd_seeds": [0],
        "predictions": [[[0.333333, 0.666667], [1.0, 0.0]]],
    }


def test_seeds_are_joined_in_their_order_and_trained_parameters_averaged(tmp_path):
    for seed in (10, 2, 0):
        path = write_predictions(tmp_path, "dtd", HALF, entry(seed, 5, trained=seed))
        assert path.name == f"seed{seed}_dtd.json"
    (tmp_path / "notes.txt").write_text("left alone")
    (joined,) = merge(tmp_path)["data"]
    assert (joined["rnd_seeds"], joined["num_trainable_params"]) == ([0, 2, 10], 4)
    assert np.shape(joined["predictions"]) == (3, 3, 2)


@pytest.mark.parametrize("row", [[0.5, 0.4], [1.5, -0.5], [np.nan, 0.5]])
def test_rows_that_are_no_probabilities_are_refused(row, tmp_path):
    with pytest.raises(DataError, match="1 of 4 rows are no probabilities, the first is row 3"):
        write_predictions(tmp_path / "out", "mnist", np.vstack([HALF, row]), entry())
    assert not (tmp_path / "out").exists()
    with pytest.raises(DataError, match="not images x classes"):
        write_predictions(tmp_path / "out", "mnist", HALF[0], entry())


def change(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model_name": "other"}, "differ in model_name: other and mine"),
        ({"rnd_seeds": [0]}, "two files of one seed"),
        ({"predictions": [[[0.5, 0.5]]]}, "differ in images or classes"),
        ({"predictions": [[[0.5, 0.6]]]}, "seed 1: 1 of 1 rows are no probabilities"),
        ({"predictions": [[[0.5, 0.5], [1.0]]]}, "rows differ in length"),
        ({"predictions": []}, "0 predictions for other seeds"),
        ({"extra": 1}, "differ in extra"),
    ],
)
def test_files_that_do_not_belong_together(values, message, tmp_path):
    for seed in (0, 1):
        path = write_predictions(tmp_path, "dtd", HALF, entry(seed, 5))
    change(path, **values)
    with pytest.raises(DataError, match=message):
        merge(tmp_path)


@pytest.mark.parametrize(("text", "message"), [("{", "is not JSON"), ("[]", "is not a prediction file")])
def test_files_that_are_something_else(text, message, tmp_path):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=message):
        merge(tmp_path)
    with pytest.raises(DataError, match="has no prediction files"):
        merge(tmp_path / "empty")


@pytest.fixture
def two(monkeypatch):
    """ELEVATER as if it had two small data sets."""
    small = {name: ElevaterDataset(name, 3, 2) for name in ("dtd", "mnist")}
    monkeypatch.setattr(elevater_submission, "ELEVATER", small)


@pytest.mark.usefixtures("two")
def test_what_is_submitted_is_complete(tmp_path):
    write_predictions(tmp_path, "mnist", HALF, entry())
    with pytest.raises(DataError, match="1 of 2 data sets have no predictions: dtd"):
        write_merged(tmp_path)
    path = write_predictions(tmp_path, "dtd", HALF[:2], entry())
    with pytest.raises(DataError, match="dtd has predictions of 2 images and 2 classes instead of 3 and 2"):
        write_merged(tmp_path)
    assert not list(tmp_path.glob("*.zip"))
    write_predictions(tmp_path, "dtd", HALF, entry())
    archive = write_merged(tmp_path)
    first = archive.read_bytes()
    assert write_merged(tmp_path).read_bytes() == first
    with zipfile.ZipFile(archive) as file:
        names = [one["dataset_name"] for one in json.loads(file.read("all_predictions.json"))["data"]]
    assert names == ["dtd", "mnist"]
    path.rename(tmp_path / "else.json")
    change(tmp_path / "else.json", dataset_name="else")
    write_predictions(tmp_path, "dtd", HALF, entry())
    with pytest.raises(DataError, match="ELEVATER has no data set else"):
        write_merged(tmp_path)


def test_the_summary_fails_on_what_is_missing(tmp_path):
    values = dict.fromkeys(ELEVATER, 0.5) | {"dtd": 0.25}
    summary = write_summary(tmp_path, values)
    assert summary["average"] == pytest.approx(0.4875)
    assert json.loads((tmp_path / "summary.json").read_text()) == summary
    rows = list(csv.DictReader((tmp_path / "summary.csv").read_text().splitlines()))
    assert len(rows) == 21
    assert rows[4] == {"dataset": "dtd", "metric": "top1", "value": "0.25"}
    assert rows[-1]["dataset"] == "average"
    del values["dtd"], values["mnist"]
    with pytest.raises(DataError, match="2 of 20 data sets have no score: dtd, mnist"):
        summarise(values)
    with pytest.raises(DataError, match="2 of 20"):
        write_summary(tmp_path / "none", values)
    assert not (tmp_path / "none").exists()


def test_parameters_are_counted_by_tower():
    class Towers(nn.Module):
        def __init__(self):
            super().__init__()
            self.visual, self.text_part = nn.Linear(3, 4), nn.Linear(2, 2)
            self.logit_scale = nn.Parameter(torch.zeros(()))

        def is_image(self, name):
            return name.startswith("visual")

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.towers, self.heads = Towers(), nn.Linear(9, 9)

    assert count_parameters(Model()) == ParameterCounts(0, 23, 16, 23)
    head = nn.Linear(4, 10)
    assert count_parameters(Model(), head, trained=50) == ParameterCounts(50, 73, 16, 23)
