import csv
import json
import os
import time

import pytest

from protoclip_cli.core.errors import DataError, UsageError
from protoclip_cli.evaluation.elevater_datasets import ELEVATER
from protoclip_cli.workflows.summarize import summarize, watch, write_elevater, write_report


class Notes:
    def __init__(self):
        self.said = []

    def note(self, message):
        self.said.append(message)

    def progress(self, *_):
        pass


def test_two_thousand_runs_are_fast(tiny_run, tmp_path):
    first = tiny_run(tmp_path / "runs" / "r.0", {"digits": 0.3, "cifar": 0.5}, k=0)
    recipe = (first / "recipe.yaml").read_text()
    for number in range(1, 2000):
        path = first.with_name(f"r.{number}")
        path.mkdir()
        for file in first.iterdir():
            if file.name != "recipe.yaml":
                os.link(file, path / file.name)
        other = recipe.replace("seed: 0", f"seed: {number % 5}").replace("k: 0", f"k: {number // 5}")
        (path / "recipe.yaml").write_text(other)
    began = time.perf_counter()
    found = summarize([str(tmp_path / "runs")], baseline="r.0")
    write_report(found, tmp_path / "report.html")
    assert time.perf_counter() - began < 20  # 1,000 runs have 10 seconds
    assert (len(found.groups), len(found.runs)) == (400, 2000)
    assert len(found.lines[0].differences) == 399


def test_two_runs_of_the_same_name_a_run_without_scores_and_notes(tiny_run, tmp_path):
    for place in "xy":
        tiny_run(tmp_path / place / "same", {"digits": 0.5}, k=place)
    tiny_run(tmp_path / "new", {}, state="running", k=3)
    notes = Notes()
    found = summarize([str(tmp_path)], reporter=notes)
    assert [group.name for group in found.groups] == ["new", "x/same", "y/same"]
    assert notes.said == ["1 run without scores: new", "1 run not finished: new"]


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(DataError, match="is no run"):
        summarize([str(tmp_path)])


def test_checkpoints_are_never_read(tiny_run, tmp_path):
    path = tiny_run(tmp_path / "a", {"digits": 0.5})
    for name in ("checkpoints", "bank", "prototypes"):
        (path / name).mkdir()
        (path / name).chmod(0)
    (path / "model.safetensors").symlink_to("/dev/full")
    try:
        write_report(summarize([str(path)]), tmp_path / "report.html")
    finally:
        for name in ("checkpoints", "bank", "prototypes"):
            (path / name).chmod(0o700)


def test_a_report_replaces_nothing_unasked(tiny_run, tmp_path):
    found = summarize([str(tiny_run(tmp_path / "a", {"digits": 0.5}))])
    report = tmp_path / "made" / "report.html"
    write_report(found, report)
    with pytest.raises(UsageError, match="exists") as caught:
        write_report(found, report)
    assert "--force" in str(caught.value.hint)
    write_report(found, report, title="Again", force=True)
    assert "<title>Again</title>" in report.read_text()


def test_scores_that_fit_no_pattern_are_an_error(tiny_run, tmp_path):
    path = tiny_run(tmp_path / "a", {"digits": 0.5})
    with pytest.raises(DataError, match="no score fits top1"):
        summarize([str(path)], scores=["top1"])


@pytest.fixture
def elevater_run(tiny_run):
    """`elevater_run(folder, names)` is a run with the primary scores of these data sets."""

    def written(folder, names, value=0.5):
        path = tiny_run(folder, {})
        row = {
            "v": 1,
            "split": "test",
            "ci95": None,
            "selection": "none",
            "seed": 0,
            "step": 10,
            "probe": "zero_shot",
        }
        rows = [
            row | {"benchmark": f"elevater_{name}", "metric": metric, "value": value if right else 0.9}
            for name in names
            for metric, right in ((ELEVATER[name].metric, True), ("top5", False))
        ]
        (path / "scores.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
        return path

    return written


def test_elevaters_summary_is_the_plain_mean_of_primary_scores(elevater_run, tmp_path):
    found = summarize([str(elevater_run(tmp_path / "a", ELEVATER))])
    (folder,) = write_elevater(found, tmp_path / "out")
    assert folder == tmp_path / "out" / "zero_shot"
    assert json.loads((folder / "summary.json").read_text())["average"] == 0.5
    lines = list(csv.reader((folder / "summary.csv").read_text().splitlines()))
    assert (len(lines), lines[-1]) == (22, ["average", "", "0.5"])


def test_a_missing_data_set_fails_and_whole_summaries_are_kept(elevater_run, tmp_path):
    elevater_run(tmp_path / "runs/a", list(ELEVATER)[1:])
    elevater_run(tmp_path / "runs/b", ELEVATER)
    found = summarize([str(tmp_path / "runs")])
    with pytest.raises(DataError, match="a, zero_shot: 1 of 20 data sets have no score: caltech-101"):
        write_elevater(found, tmp_path / "out")
    assert (tmp_path / "out" / "b" / "zero_shot" / "summary.csv").is_file()
    assert not (tmp_path / "out" / "a").exists()


def test_a_run_without_elevaters_scores_is_refused(tiny_run, tmp_path):
    found = summarize([str(tiny_run(tmp_path / "a", {"digits": 0.5}))])
    with pytest.raises(DataError, match="ELEVATER"):
        write_elevater(found, tmp_path / "out")


def test_watching_ends_when_all_runs_have(tiny_run, tmp_path):
    path = tiny_run(tmp_path / "a", {}, state="running")
    seen = []
    for runs in watch([str(path)], every=0.01):
        seen.append(runs[0].state)
        if len(seen) == 2:
            status = json.loads((path / "status.json").read_text())
            (path / "status.json").write_text(json.dumps(status | {"state": "stopped"}))
    assert seen == ["running", "running", "stopped"]
