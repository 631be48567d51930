"""A job of Slurm from its script: told to stop ahead of its limit, it saves, requeues itself and goes on."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from protoclip_cli.workflows.submit import Allocation, Submission

pytest.importorskip("submitit")

# What the script calls. As the real one, srun hands signals on to its tasks and ends with their highest code.
SLURM = {
    "sbatch": "echo Submitted batch job 4711",
    "scontrol": 'if [ "$1" = requeue ]; then echo "$2" >> requeued; else echo localhost; fi',
    "srun": """\
while [ "$1" != bash ]; do shift; done
for ((task = 0; task < SLURM_NTASKS; task++)); do
  SLURM_PROCID=$task SLURM_LOCALID=$task "$@" & tasks[task]=$!
done
trap 'kill -USR1 "${tasks[@]}"' USR1
echo $$ > srun.pid
worst=0
for task in "${tasks[@]}"; do
  until wait "$task"; code=$?; [ "$code" -ne 138 ]; do :; done
  [ "$code" -gt "$worst" ] && worst=$code
done
exit "$worst"
""",
}


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A directory to submit from, and commands of Slurm for one machine."""
    monkeypatch.chdir(tmp_path)
    for name, text in SLURM.items():
        file = tmp_path / "bin" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/bash\n{text}\n")
        file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return tmp_path


def start(script, tasks):
    """Run a job's script as Slurm would."""
    root = str(Path(__file__).parents[2])
    given = {"SLURM_JOB_ID": "4711", "SLURM_JOB_NODELIST": "localhost", "SLURM_NTASKS": str(tasks)}
    given |= {"SLURM_NTASKS_PER_NODE": str(tasks), "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
    given["PYTHONPATH"] = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(["bash", str(script)], env=os.environ | given, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("tasks", [1, 2])
def test_a_job_stops_ahead_of_its_limit_and_goes_on(tasks, slurm, recipe_file, whole, outcome):
    path = recipe_file(slurm / "r.yaml")
    submitted = Submission(str(path), [], Allocation(gpus_per_node=tasks), slurm / "run").submit()
    run = submitted.run
    first = start(submitted.script, tasks)
    while first.poll() is None and not (run / "metrics.jsonl").is_file():
        time.sleep(0.001)
    assert first.poll() is None, first.stderr.read()
    os.kill(int((slurm / "srun.pid").read_text()), signal.SIGUSR1)
    said = first.communicate()[1]
    assert first.returncode == 75, said
    assert "stopped by SIGUSR1 after step" in said
    assert json.loads((run / "status.json").read_text())["state"] == "stopped"
    assert (slurm / "requeued").read_text() == "4711\n"

    second = start(submitted.script, tasks)
    said = second.communicate()[1]
    assert second.returncode == 0, said
    assert "from step" in said
    assert (slurm / "requeued").read_text() == "4711\n"
    assert json.loads((run / "run.json").read_text())["processes"] == tasks
    if tasks == 1:
        assert outcome(run) == outcome(whole)
    steps = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert steps == list(range(1, 16))


@pytest.mark.slow
def test_a_job_that_fails_is_not_put_back(slurm, recipe_file):
    path = recipe_file(slurm / "r.yaml")
    submitted = Submission(str(path), [], Allocation(), slurm / "run").submit()
    path.write_text("name: broken\n")
    job = start(submitted.script, 1)
    assert "r.yaml is not a valid recipe" in job.communicate()[1]
    assert job.returncode == 3
    assert not (slurm / "requeued").exists()


@pytest.mark.parametrize(("code", "again"), [(138, True), (75, True), (143, False), (0, False)])
def test_a_job_that_is_told_to_stop_before_its_first_step_goes_on_too(code, again, slurm, recipe_file):
    path = recipe_file(slurm / "r.yaml")
    submitted = Submission(str(path), [], Allocation(), slurm / "run").submit()
    (slurm / "bin" / "srun").write_text(f"#!/bin/bash\nexit {code}\n")
    job = start(submitted.script, 1)
    assert job.communicate()[1] == ""
    assert job.returncode == code
    assert (slurm / "requeued").exists() is again
