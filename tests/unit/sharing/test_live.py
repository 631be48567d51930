import json
import os

import pytest

from protoclip_cli.sharing.live import Lookout


def test_a_running_job_has_a_rate_and_a_time_left(tiny_run, tmp_path):
    path = tiny_run(tmp_path / "a", {}, state="running")
    tiny_run(tmp_path / "b", {}, state="finished")
    for name in ("status.json", "metrics.jsonl", "timings.jsonl"):
        os.utime(path / name, (1000, 1000))
    running, done = Lookout([str(tmp_path)]).look(1060.0)
    assert (running.label, running.state, running.ended, done.ended) == ("a", "running", False, True)
    assert (running.step, running.steps, running.metrics["loss"]) == (10, 20, 1.0)
    assert running.samples_per_second == 20.0
    assert running.seconds_left == pytest.approx(10 * 8 / 20)
    assert running.silent == pytest.approx(60)


def test_runs_that_begin_meanwhile_and_half_written_files_are_seen(tiny_run, tmp_path):
    first = tiny_run(tmp_path / "a", {})
    lookout = Lookout([str(tmp_path)])
    assert [run.ended for run in lookout.look(0.0)] == [True]
    second = tiny_run(tmp_path / "b", {}, state="running")
    (second / "status.json").write_text('{"state": "runn')
    with (second / "metrics.jsonl").open("a") as file:
        file.write('{"step": 17, "loss": NaN}\n{"step": 18, "l')
    new, _ = lookout.look(0.0)
    assert (new.state, new.ended, new.step, new.seconds_left) == ("unknown", False, 17, None)
    status = json.loads((first / "status.json").read_text()) | {"state": "running"}
    (first / "status.json").write_text(json.dumps(status))
    os.utime(first / "status.json", (10**10, 10**10))
    assert [run.ended for run in lookout.look(0.0)] == [False, False]
