"""`protoclip submit`."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from protoclip_cli.cli.ending import clean_end, tell
from protoclip_cli.cli.options import Debug, Json, Set
from protoclip_cli.core.errors import UsageError


def submit(
    recipe: Annotated[str, typer.Argument(help="A recipe: a file, or the name of a shipped one.")],
    nodes: Annotated[int, typer.Option(help="Machines.", min=1)] = 1,
    gpus_per_node: Annotated[
        int, typer.Option(help="GPUs of each, with a process for each; 0: one process without.", min=0)
    ] = 1,
    partition: Annotated[str | None, typer.Option(help="Slurm's partition.")] = None,
    time: Annotated[
        str | None, typer.Option(help="Time limit: minutes, HH:MM:SS or D-HH:MM:SS.", metavar="TIME")
    ] = None,
    sbatch: Annotated[
        list[str] | None,
        typer.Option(
            help="Any other option of sbatch, as in cpus-per-task=8 or account=me. Repeatable.",
            metavar="NAME=VALUE",
        ),
    ] = None,
    signal_seconds: Annotated[
        int, typer.Option(help="How long before the limit the run saves and stops.", min=10)
    ] = 120,
    set_: Set = None,
    run: Annotated[Path | None, typer.Option(help="The run folder. Default: runs/NAME.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the script for sbatch. Submit and write nothing.")
    ] = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Submit a training run to Slurm; it saves ahead of the time limit, requeues itself and goes on exactly.

    Example: `protoclip submit my.yaml --nodes 2 --gpus-per-node 8 --time 12:00:00 --sbatch cpus-per-task=8`
    """
    with clean_end(debug=debug):
        from protoclip_cli.workflows.submit import Allocation, Submission

        allocation = Allocation(
            nodes, gpus_per_node, partition, time, signal_seconds, _options_of_sbatch(sbatch or [])
        )
        submission = Submission(recipe, set_ or [], allocation, run)
        if dry_run:
            typer.echo(submission.script())
            tell(f"before you give this to sbatch yourself: mkdir -p {shlex.quote(str(submission.logs))}")
            return
        done = submission.submit()
        tell(f"job {done.job}; its script is {done.script}, its log {done.log}")
        document = {"job": done.job, "run": str(done.run), "script": str(done.script), "log": str(done.log)}
        typer.echo(json.dumps(document) if json_ else str(done.run))


def _options_of_sbatch(values: list[str]) -> dict[str, str]:
    found = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not (name and equals and text):
            raise UsageError(f"--sbatch {value} has no value", hint="write for example --sbatch account=me")
        found[name.removeprefix("--")] = text
    return found
