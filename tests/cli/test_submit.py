"""`protoclip submit`, with commands of Slurm that only remember."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from protoclip_cli.store.run import RunFolder


@pytest.fixture
def slurm(desk, monkeypatch):
    """An sbatch that takes every job; `slurm(text)` makes it do something else."""

    def sbatch(text):
        file = desk / "bin" / "sbatch"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/bash\n{text}\n")
        file.chmod(0o755)

    monkeypatch.setenv("PATH", f"{desk / 'bin'}:/usr/bin:/bin")
    sbatch("echo Submitted batch job 4711")
    return sbatch


def ends(done, code, error, hint):
    assert (done.exit_code, done.stdout) == (code, "")
    assert done.stderr == f"error: {error}\n" + (f"hint: {hint}\n" if hint else "")


def test_a_dry_run_prints_the_script_and_leaves_nothing(call, small):
    before = sorted(Path().rglob("*"))
    options = ("--nodes", 2, "--gpus-per-node", 4, "--time", "12:00:00", "--partition", "gpu")
    more = ("--sbatch", "cpus-per-task=8", "--sbatch", "--account=me", "--set", "name=a b")
    done = call("submit", small, *options, *more, "--dry-run")
    logs = Path("runs/a_b/logs/slurm").absolute()
    said = f"before you give this to sbatch yourself: mkdir -p {logs}\n"
    assert (done.exit_code, done.stderr) == (0, said)
    assert sorted(Path().rglob("*")) == before
    lines = done.stdout.splitlines()
    assert lines[0] == "#!/bin/bash"
    asked = {line.removeprefix("#SBATCH --") for line in lines if line.startswith("#SBATCH")}
    assert asked == {
        *("account=me", "cpus-per-task=8", "gpus-per-node=4", "job-name=a_b", "nodes=2", "ntasks-per-node=4"),
        *("open-mode=append", f"output={logs}/%j_0_log.out", "partition=gpu", "requeue", "signal=USR1@120"),
        "time=12:00:00",
    }
    train = f"{sys.executable} -m protoclip_cli train {small.absolute()} --run {Path('runs/a_b').absolute()}"
    (command,) = [line for line in lines if line.startswith("srun ")]
    assert command.endswith(f"{train} --resume --set 'name=a b'")
    assert subprocess.run(["bash", "-n"], input=done.stdout, text=True, check=False).returncode == 0


def test_a_job_without_gpus_has_a_process_for_each_node(call, small):
    text = call("submit", small, "--gpus-per-node", 0, "--signal-seconds", 300, "--dry-run").stdout
    assert "#SBATCH --ntasks-per-node=1\n" in text
    assert "#SBATCH --signal=USR1@300\n" in text
    assert "#SBATCH --gpus" not in text
    assert "--time" not in text


@pytest.mark.usefixtures("slurm")
def test_a_job_is_submitted_and_its_folder_can_become_the_run(call, small):
    done = call("submit", small, "--run", "here")
    run = Path("here").absolute()
    assert (done.exit_code, done.stdout) == (0, f"{run}\n")
    script = run / "logs" / "slurm" / "4711_submission.sh"
    assert done.stderr == f"job 4711; its script is {script}, its log {script.parent}/4711_0_log.out\n"
    assert script.read_text() + "\n" == call("submit", small, "--run", "here", "--dry-run").stdout
    RunFolder(run).create()
    again = json.loads(call("submit", small, "--run", "here", "--json").stdout)
    assert again == {
        "job": "4711",
        "run": str(run),
        "script": str(script),
        "log": f"{script.parent}/4711_0_log.out",
    }


def test_what_slurm_refuses_is_told_in_its_words(call, small, slurm):
    slurm("echo 'sbatch: error: invalid partition specified: gpuu' >&2; exit 1")
    done = call("submit", small)
    assert done.exit_code == 1
    assert done.stderr.startswith("error: sbatch did not take the job: ")
    assert "invalid partition specified: gpuu" in done.stderr
    assert "Traceback" not in done.stderr


def test_where_there_is_no_slurm(call, small, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    hint = "submit where Slurm is; --dry-run prints the script anywhere"
    ends(call("submit", small), 2, "there is no sbatch on this machine", hint)
    assert not Path("runs").exists()


@pytest.mark.usefixtures("slurm")
def test_without_submitit(call, small, monkeypatch):
    for module in ("submitit", "submitit.slurm", "submitit.slurm.slurm"):
        monkeypatch.setitem(sys.modules, module, None)
    hint = "pip install 'protoclip[slurm]'"
    ends(call("submit", small), 5, "submitting to Slurm needs the package submitit", hint)


@pytest.mark.usefixtures("slurm")
def test_a_job_that_cannot_work_is_not_submitted(call, small):
    done = call("submit", small, "--nodes", 3, "--gpus-per-node", 8)
    assert done.exit_code == 3
    assert "batch.size 32 cannot be shared by 24 processes" in done.stderr
    hint = "write for example --sbatch account=me"
    ends(call("submit", small, "--sbatch", "account"), 2, "--sbatch account has no value", hint)
    assert call("submit", "smal.yaml").exit_code == 3
    assert not Path("runs").exists()
