"""What runs wrote down, also while they write."""

import json

import numpy as np
import pytest

from protoclip_cli.drawing.records import Records
from protoclip_cli.drawing.score_series import main_scores, series_of


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "recipe.yaml").write_text("batch: {size: 32}\n")
    return folder


def write(path, rows, ending=""):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + ending)


def test_a_half_written_last_line_is_left_out(run, records):
    write(run / "metrics.jsonl", [{"step": 1, "loss": 2.0}], '{"step": 2, "lo')
    write(run / "scores.jsonl", records().scores[:1], '{"probe": "zero_shot", "ben')
    found = Records.read(run)
    assert [row["step"] for row in found.metrics] == [1]
    assert len(found.scores) == 1
    assert found.batch == 32


def test_a_run_that_has_just_begun_has_nothing(tmp_path):
    found = Records.read(tmp_path)
    assert (list(found.metrics), list(found.scores), found.batch) == ([], [], 1)


def test_values_that_are_not_finite_are_counted_and_leave_gaps(run):
    rows = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": None}]
    write(run / "metrics.jsonl", rows, '{"step": 3, "loss": NaN}\n')
    found = Records.read(run)
    assert np.isnan(found.column("loss")).tolist() == [False, True, True]
    assert found.not_finite == 2


def test_a_step_that_was_written_twice_counts_once(run):
    write(run / "metrics.jsonl", [{"step": 1, "loss": 2.0}, {"step": 1, "loss": 3.0}])
    assert Records.read(run).column("loss").tolist() == [3.0]


def test_scores_are_in_the_order_of_samples(records):
    series = series_of(records())["zero_shot", "digits", "top1"]
    assert series.samples.tolist() == [4 * 64, 8 * 64]
    assert series.low[0] == pytest.approx(series.values[0] - 0.1)


def test_of_a_task_the_score_that_says_most_is_shown():
    names = [("zero_shot", "a", metric) for metric in ("mean_per_class", "top5", "top1", "top1@raw")]
    assert main_scores(names) == [("zero_shot", "a", "top1")]
    assert main_scores([("sts", "b", "pearson@x")]) == [("sts", "b", "pearson@x")]
