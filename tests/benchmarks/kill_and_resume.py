"""Kill runs with SIGKILL at random moments, resume them, and compare with a run nobody touched.

python tests/benchmarks/kill_and_resume.py --kills 20
python tests/benchmarks/kill_and_resume.py --kills 10 --processes 3
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

PROTOTYPES = {"kind": "prototype_contrast", "weight": 0.3, "first_episode": 1}
RECIPE = {
    "name": "kill",
    "pairs": {"kind": "glyphs", "limit": 720},
    "views": {"image": {"kind": "glyphs"}},
    "model": {
        "kind": "open_clip",
        "name": "glyphs-tiny",
        "vocabulary": "used",
        "heads": {"proto": {"kind": "mlp", "hidden": 64, "dim": 32}},
    },
    "episodes": {"count": 3},
    "objectives": {
        "clip": {"kind": "info_nce"},
        "seed": {"kind": "seed", "queue": 108, "first_episode": 1, "weight": 0.5},
        "image_from_text": {**PROTOTYPES, "student": "image", "source": "text", "target_temperature": 0.1},
        "text_from_teacher": {**PROTOTYPES, "student": "text", "source": "teacher"},
    },
    "prototypes": {"k": 20},
    "teacher": {"kind": "lsa", "dim": 16},
    "towers": {"image": {"last_episode": 1}},
    "batch": {"size": 36},
    "optimizer": {"kind": "adamw", "lr": 1e-3},
    "schedule": {"kind": "cosine", "warmup": 5},
    "checkpoints": {"every_steps": 7},
    "validation": {"pairs": {"kind": "glyphs", "split": "held_out", "limit": 100}},
}


def start(recipe: Path, run: Path, processes: int) -> subprocess.Popen[bytes]:
    """A training process, in a process group of its own."""
    if processes > 1:
        launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m", "--"]
    else:
        launcher = []  # "--": torchrun takes --run for one of its own options otherwise
    command = [
        sys.executable,
        "-m",
        *launcher,
        "protoclip_cli",
        "train",
        str(recipe),
        "--run",
        str(run),
        "--resume",
        "-q",
    ]
    threads = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    return subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.DEVNULL, env=os.environ | threads
    )


def steps_done(run: Path) -> int:
    """Steps in the log of a run."""
    path = run / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def kill_once(recipe: Path, run: Path, processes: int, after: float) -> int:
    """Start, let it take a random number of steps and a random while, and kill everything. The steps done."""
    process = start(recipe, run, processes)
    goal = steps_done(run) + random.randint(0, 25)
    while process.poll() is None and steps_done(run) < goal:
        time.sleep(0.02)
    time.sleep(after)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        # torchrun starts its workers in sessions of their own.
        subprocess.run(["pkill", "-9", "-f", str(run)], check=False)
    process.wait()
    return steps_done(run)


def finish(recipe: Path, run: Path, processes: int) -> tuple[str, bytes]:
    """Train to the end; the final weights' hash and the log."""
    if start(recipe, run, processes).wait() != 0:
        raise SystemExit(f"{run} did not finish")
    state = json.loads((run / "checkpoints" / "last" / "state.json").read_text())
    return state["model_hash"], (run / "metrics.jsonl").read_bytes()


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        recipe = Path(folder, "recipe.yaml")
        recipe.write_text(yaml.safe_dump(RECIPE))
        want = finish(recipe, Path(folder, "whole"), arguments.processes)
        print(f"uninterrupted: {want[0]}", flush=True)
        same = 0
        for number in range(arguments.kills):
            run = Path(folder, f"killed_{number}")
            killed_at = [
                kill_once(recipe, run, arguments.processes, random.random() * 1.5)
                for _ in range(random.randint(1, 2))
            ]
            got = finish(recipe, run, arguments.processes)
            same += got == want
            print(
                f"killed after steps {killed_at}: {got[0]} {'same' if got == want else 'DIFFERENT'}",
                flush=True,
            )
        print(f"{same} of {arguments.kills} runs ended with the weights and the log of the uninterrupted run")
        raise SystemExit(same != arguments.kills)


if __name__ == "__main__":
    main()
