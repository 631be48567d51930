"""`protoclip submit`: a run as a job of Slurm that saves ahead of its time limit and goes on by itself.

The job's script is plain: one process per GPU, started by `srun`, each of them the ordinary `protoclip
train --resume`. Slurm signals them some minutes ahead of the limit; they save at the same step and end
with 75, and the script puts the job back into the queue. A job that somebody cancels is not put back,
because Slurm ends the script too.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from protoclip_cli.core.errors import MissingExtra, ProtoclipError, UsageError
from protoclip_cli.recipe.load import load_recipe
from protoclip_cli.recipe.shipped import find_recipe
from protoclip_cli.recipe.train import TrainRecipe
from protoclip_cli.store.run import RunFolder, safe_name
from protoclip_cli.workflows.building import check_processes

_BEFORE = """\
# All processes meet on the first node, at a port of this job's own.
export MASTER_ADDR="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)"
export MASTER_PORT=$((20000 + SLURM_JOB_ID % 40000))
# Slurm 22.05 and newer do not hand --cpus-per-task on to srun by themselves.
[ -z "${SLURM_CPUS_PER_TASK:-}" ] || export SRUN_CPUS_PER_TASK="$SLURM_CPUS_PER_TASK"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-${SLURM_CPUS_PER_TASK:-1}}\""""
_RANKS = (
    "export RANK=$SLURM_PROCID WORLD_SIZE=$SLURM_NTASKS LOCAL_RANK=$SLURM_LOCALID "
    'LOCAL_WORLD_SIZE=$SLURM_NTASKS_PER_NODE; exec "$@"'
)
_AFTER = """\
code=$?
# 75: a signal came ahead of the limit, and everything is saved. 138: it came before the first step.
if [ "$code" -eq 75 ] || [ "$code" -eq 138 ]; then scontrol requeue "$SLURM_JOB_ID"; fi
exit "$code\""""


@dataclass(frozen=True, slots=True)
class Allocation:
    """What a job asks Slurm for."""

    nodes: int = 1
    gpus_per_node: int = 1
    """Processes of a node; 0: one, without a GPU."""
    partition: str | None = None
    time: str | None = None
    """The limit as sbatch takes it: minutes, HH:MM:SS or D-HH:MM:SS."""
    signal_seconds: int = 120
    """How long before the limit the run is told to save."""
    more: Mapping[str, str] = field(default_factory=dict)
    """Other options of sbatch, by their long names."""

    @property
    def processes_per_node(self) -> int:
        """One per GPU."""
        return max(1, self.gpus_per_node)


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job in the queue."""

    job: str
    run: Path
    script: Path
    log: Path
    """Of the first process."""


class Submission:
    """One run, and the job that trains it."""

    def __init__(
        self, recipe: str, overrides: Sequence[str], allocation: Allocation, run: Path | None = None
    ) -> None:
        """Check the recipe.

        Args:
            recipe: a file, or the name of a shipped one.
            overrides: of its values.
            allocation: what to ask for.
            run: the run folder. None: runs/NAME under the current directory.

        Raises:
            RecipeError: it cannot be run, or not by so many processes.
            MissingExtra: submitit is not installed.
        """
        self.allocation = allocation
        found = find_recipe(recipe)
        loaded = load_recipe(found, TrainRecipe, overrides)
        check_processes(loaded, allocation.nodes * allocation.processes_per_node)
        self.run = (run or Path("runs") / safe_name(loaded.name)).absolute()
        named = str(found.absolute()) if Path(recipe).is_file() else recipe
        settings = [word for value in overrides for word in ("--set", value)]
        train = ["-m", "protoclip_cli", "train", named, "--run", str(self.run), "--resume", *settings]
        self._command = shlex.join(["bash", "-c", _RANKS, "protoclip", sys.executable, *train])
        self.logs = RunFolder(self.run).path / "logs" / "slurm"
        self._executor = _executor(self.logs)
        self._executor.update_parameters(**self._parameters(safe_name(loaded.name)))

    def _parameters(self, name: str) -> dict[str, Any]:
        ask = self.allocation
        gpus = {"gpus_per_node": ask.gpus_per_node} if ask.gpus_per_node else {}
        limit = {} if ask.time is None else {"time": ask.time}
        signal = {"signal": f"USR1@{ask.signal_seconds}", "requeue": True}
        return gpus | {
            "job_name": name,
            "nodes": ask.nodes,
            "ntasks_per_node": ask.processes_per_node,
            "partition": ask.partition,
            "time": None,
            "wckey": None,
            "stderr_to_stdout": True,
            "setup": _BEFORE.splitlines(),
            "teardown": _AFTER.splitlines(),
            # Each process chooses threads and loaders among the cores of the node by itself.
            "srun_args": ["--open-mode=append", "--cpu-bind=none"],
            "additional_parameters": limit | signal | dict(ask.more),
        }

    def script(self) -> str:
        """The script for sbatch. Slurm needs the folder `logs` to be there, and says nothing if it is not."""
        return str(self._executor._make_submission_file_text(self._command, ""))

    def submit(self) -> Submitted:
        """Put the job into the queue.

        Raises:
            UsageError: there is no Slurm here.
            ProtoclipError: Slurm refused the job.
        """
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        if shutil.which("sbatch") is None:
            raise UsageError(
                "there is no sbatch on this machine",
                hint="submit where Slurm is; --dry-run prints the script anywhere",
            )
        self.logs.mkdir(parents=True, exist_ok=True)
        try:
            with redirect_stderr(StringIO()):  # submitit repeats there what its error says
                job = self._executor._submit_command(self._command)
        except (FailedJobError, FailedSubmissionError) as error:
            raise ProtoclipError(f"sbatch did not take the job: {str(error).strip()}") from None
        paths = job.paths
        return Submitted(job.job_id, self.run, Path(paths.submission_file), Path(paths.stdout))


def _executor(folder: Path) -> Any:
    """Submitit's, which writes the script and calls sbatch; also for a script where there is no Slurm."""
    try:
        from submitit.slurm.slurm import SlurmExecutor
    except ImportError:
        raise MissingExtra(
            "submitting to Slurm needs the package submitit", hint="pip install 'protoclip[slurm]'"
        ) from None

    class _Anywhere(SlurmExecutor):  # type: ignore[misc]
        @classmethod
        def affinity(cls) -> int:
            return 2

    return _Anywhere(folder)
